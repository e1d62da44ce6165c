"""Makes a target from its address: `unix`, `rp2040`."""

from __future__ import annotations

from cisterna import paths
from cisterna.bench import engines
from cisterna.bench.target import Target, TargetError
from cisterna.errors import CisternaError, InstallError, NotYet

KNOWN = ("unix", "rp2040")


def check(address: str, engine: str | None = None) -> None:
    """CisternaError if `address` is no target, or has no such engine; NotYet for `serial:`. Starts nothing."""
    if address.startswith("serial:"):
        raise NotYet(f'--target held "{address}": in the contract, but not yet in this version')
    if address not in KNOWN:
        raise CisternaError(f'--target held "{address}"; allowed: {", ".join(KNOWN)} (serial:ID: not yet)')
    if engine is not None:
        if address != "unix":
            allowed = f"only with --target unix; {address} runs the image"
            raise CisternaError(f'--engine held "{engine}"; allowed: {allowed}')
        engines.check(engine)


def make(address: str, engine: str | None = None) -> Target:
    """A target that is not started. engine: of `unix`, see `engines`; None: the usual one.

    Errors as `check`; InstallError if a package or an image is missing.
    """
    check(address, engine)
    if address == "unix":
        from cisterna.bench.unix_target import UnixTarget

        return UnixTarget(paths.firmware(), engine=engine or "")
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
