"""Runs every test function of the files named on the command line. For MicroPython, which has no pytest."""

import sys


def main(paths):
    """Prints one line a failure, then the counts; exits 1 when a test failed, 2 when none was found."""
    passed = failed = 0
    for path in paths:
        name = path.split("/")[-1][:-3]
        module = __import__(name)
        for key in sorted(dir(module)):
            if not key.startswith("test_"):
                continue
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
