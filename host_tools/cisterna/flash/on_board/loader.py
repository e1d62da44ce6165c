"""`/main.mpy` of a board with deployed modules: runs the pump with them in place of the image's modules.

`cisterna deploy` fills in the line after the imports. Only this file leads to the deployed modules, so replacing it
replaces the whole set.
"""

import builtins
import sys

OVER, BUILD, MODULES = "", "", {}

_import = builtins.__import__


def _load(name, *rest):
    """Replaces `__import__`: finds deployed modules under their file names. None: a module that the firmware lost."""
    package, _, own = name.rpartition(".")
    if package and package not in sys.modules:
        _load(package)
    if name in MODULES and name not in sys.modules:
        if MODULES[name] is None:
            raise ImportError("no module named '" + name + "'")
        module = sys.modules[name] = _import(MODULES[name])
        if package:
            setattr(sys.modules[package], own, module)
        module.__path__ = ".frozen/" + name.replace(".", "/")  # of a package: its other modules are the image's
    return _import(name, *rest)


def use():
    """Make imports find the deployed modules before the image's, if they are for this image."""
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
    """Run the pump, as the image's own `main` does."""
    use()
    del sys.modules["main"]
    import main as firmware

    firmware.main()
