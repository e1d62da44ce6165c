"""Run every test function of the files named on the command line. For MicroPython, which has no pytest."""

import gc
import sys


def main(paths):
    """Print one line for each failure, then the counts. Exits 1 if a test failed, 2 if there was none."""
    passed = failed = 0
    for path in paths:
        folder, _, file = path.rpartition("/")
        sys.path.insert(0, folder)
        name = file[:-3]
        module = __import__(name)
        for key in sorted(dir(module)):
            if not key.startswith("test_"):
                continue
            gc.collect()  # a test starts without the garbage of the one before
            try:
                getattr(module, key)()
                passed += 1
            except Exception as error:  # a failing test must not hide the next one
                failed += 1
                print("FAILED %s.%s" % (name, key))
                sys.print_exception(error)
    print("%d passed, %d failed" % (passed, failed))
    sys.exit(1 if failed else 0 if passed else 2)


main(sys.argv[1:])
