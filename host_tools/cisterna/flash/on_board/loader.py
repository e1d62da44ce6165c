"""`/main.mpy` of a board that modules were deployed to: runs the pump with them in place of the image's own.

Written by `cisterna deploy`, which fills in what follows the imports. Nothing else leads to a deployed module, so that
what the board runs changes with this one file, whole.
"""

import builtins
import sys

OVER, BUILD, MODULES = "", "", {}

_import = builtins.__import__


def _load(name, *rest):
    """An import. A deployed module is a file of another name; None stands for one that the firmware no longer has."""
    package, _, own = name.rpartition(".")
    if package and package not in sys.modules:
        _load(package)
    if name in MODULES and name not in sys.modules:
        if MODULES[name] is None:
            raise ImportError("no module named '" + name + "'")
        module = sys.modules[name] = _import(MODULES[name])
        if package:
            setattr(sys.modules[package], own, module)
        module.__path__ = ".frozen/" + name.replace(".", "/")  # if it is a package: the rest of it
    return _import(name, *rest)


def use():
    """From here on imports find the deployed modules, and only those come before the image's own."""
    sys.path[:] = (".frozen",)
    import build_info

    if build_info.BUILD != OVER:
        print("The deployed modules are for build %s, this image is %s: they are not used." % (OVER, build_info.BUILD))
        return
    sys.path.append("/deployed")
    builtins.__import__ = _load
    build_info.BUILD = BUILD
    print("build %s: deployed %s" % (BUILD, ", ".join(sorted(MODULES))))


def main():
    """Runs the pump, as the image's own `main` would."""
    use()
    del sys.modules["main"]
    import main as firmware

    firmware.main()
