"""The dose variables in which a scenario may flip a bit: the list of the simulated board's own test port."""

from functools import cache
from importlib.util import module_from_spec, spec_from_file_location

from cisterna import paths


@cache
def widths() -> dict[str, int]:
    """Name of each dose variable -> its bits, in the order of `cisterna sim --list-flips`."""
    spec = spec_from_file_location("cisterna_flip_port", paths.firmware() / "unix" / "flip_port.py")
    assert spec and spec.loader  # the path is that of a Python file
    port = module_from_spec(spec)
    spec.loader.exec_module(port)
    return dict(port.names())
