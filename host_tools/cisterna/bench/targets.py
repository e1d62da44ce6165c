"""A target by its address: `unix`, `rp2040`."""

from __future__ import annotations

from cisterna import paths
from cisterna.bench.target import Target, TargetError
from cisterna.errors import CisternaError, InstallError, NotYet

KNOWN = ("unix", "rp2040")


def check(address: str) -> None:
    """CisternaError if there is no such target; nothing is started."""
    if address.startswith("serial:"):
        raise NotYet(f'--target held "{address}": in the contract, but not yet in this version')
    if address not in KNOWN:
        raise CisternaError(f'--target held "{address}"; allowed: {", ".join(KNOWN)} (serial:ID: not yet)')


def make(address: str) -> Target:
    """A target that is not started yet. CisternaError as `check`; InstallError when something of it is missing here."""
    check(address)
    if address == "unix":
        from cisterna.bench.unix_target import UnixTarget

        return UnixTarget(paths.firmware())
    try:
        from cisterna.bench.rp2040.target import Rp2040Target
    except ImportError as error:
        raise InstallError(
            f"rp2040: {error.name} is not installed; the emulated chip needs `pip install -e '.[target]'`"
        ) from None
    try:
        return Rp2040Target()
    except TargetError as error:
        raise InstallError(f"rp2040: {error}") from None
