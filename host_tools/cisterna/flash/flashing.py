"""A new image onto one board, in stages. Each is named in the journal before it begins, so any of them may be the last.

Whoever is interrupted runs the same command again. Where that goes on is seen by the board, not remembered:
    the board waits in its boot loader     the image is copied
    the pump has the image already         it is only checked
    the pump has its old image             all from the beginning
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from cisterna.errors import CisternaError, LinkError, PumpRefused
from cisterna.flash import drives
from cisterna.flash.journal import Flashing, Journal, now
from cisterna.flash.uf2 import Uf2
from cisterna.image import sign
from cisterna.pharmacy.files import SignedFile

if TYPE_CHECKING:
    from cisterna.pharmacy.keys import Signer

QUIET = ("stopped", "alarm")  # states in which a pump gives nothing
DRIVE_COMES_S = 30.0  # a desktop may take its time to mount it
DRIVE_GOES_S = 30.0  # the boot loader writes for 4 s and waits one more
PUMP_COMES_S = 60.0
_LOOK_S = 0.2
_UNSIGNED = "the image is not signed; name its file with --signature (`cisterna image sign` makes it)"
_OF_HELLO = ("build", "commit", "board", "serial", "bench", "people", "library", "authority", "self_test")


class FlashRefused(CisternaError):
    """Not now, not this image, or not this board. Nothing was changed."""


class FlashBroken(CisternaError):
    """It stopped half way. The same command goes on where it can."""

    exit_status = 70


class Pump(Protocol):
    """A pump on the link, as `link.pump.Pump` is one."""

    def ask(self, method: str, params: dict[str, Any] | None = None) -> dict[str, Any]: ...

    def command(self, method: str, params: dict[str, Any] | None = None) -> dict[str, Any]: ...

    def log_on(self, name: str, signer: Signer, role: str) -> Any: ...

    def close(self) -> None: ...


@dataclass
class Desk:
    """What flashing needs around it.

    connect   opens the pump anew each time; None: a board without a pump on the link
    boards    the drives of boards in their boot loader, now
    stage     hears the name of each stage before it begins
    progress  hears how much is copied, 0 to 1
    """

    image: Uf2
    signed: SignedFile | None
    journal: Journal
    boards: Callable[[], list[Path]]
    connect: Callable[[], Pump] | None = None
    address: str | None = None
    by: str | None = None
    signer: Signer | None = None
    authority: str | None = None  # modulus hex; None: the pump alone judges
    stage: Callable[[str], None] = lambda name: None
    progress: drives.Progress = lambda done: None
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    facts: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.facts = sign.facts(self.image.path)
        if self.facts["uf2_sha256"] != self.image.sha256:  # what is checked from here on is what will be written
            raise FlashRefused(f"image held {self.image.path}, which was changed while it was read; run this again")


# -- the stages, in their order


def check(desk: Desk, flashing: Flashing) -> None:
    """May this pump be flashed now, with this image? It is asked, and what it holds is noted."""
    waiting = desk.boards()
    if waiting:
        raise FlashRefused(
            f"a board waits in its boot loader at {_listed(waiting)}: to put the image there, use --new; to flash a "
            "pump on the link, unplug that board first, so that the pump's own drive can be told"
        )
    with _pump(desk) as pump:
        flashing.before = told(pump)
    flashing.serial = flashing.before["serial"]
    if not flashing.before["board"].startswith("pico-"):
        raise FlashRefused(f"pump {flashing.serial}: runs on board {flashing.before['board']}, which takes no image")
    refuse_busy(flashing.before)
    refuse_image(desk, flashing.before)


def enter(desk: Desk, flashing: Flashing) -> None:
    """The pump restarts into its boot loader, if it accepts the signed image."""
    with _pump(desk) as pump:
        pump.log_on(desk.by, desk.signer, "service")
        with contextlib.suppress(LinkError):  # the answer may be lost with the pump that leaves; the drive will tell
            pump.command("image.bootsel", {"document": desk.signed.document, "signature": desk.signed.signature})


def await_drive(desk: Desk, flashing: Flashing) -> None:
    """The board shows itself as a drive."""
    _only_drive(desk, flashing, DRIVE_COMES_S)


def copy(desk: Desk, flashing: Flashing) -> None:
    """The image is written; the board leaves when it has all of it."""
    drive = _only_drive(desk, flashing, 0)
    drives.put(desk.image, drive, desk.progress)
    if not _until(desk, lambda: drive not in desk.boards(), DRIVE_GOES_S):
        raise FlashBroken(
            f"{drive}: the board has not left its boot loader {DRIVE_GOES_S:g} s after the whole image was written; "
            "unplug it, plug it in again, and run the same command again"
        )


def await_pump(desk: Desk, flashing: Flashing) -> None:
    """The pump starts and has tested itself."""
    if desk.connect is None:
        return
    if not _until(desk, lambda: _is_up(desk), PUMP_COMES_S):
        raise FlashBroken(
            f"{desk.address}: the board has the image, but no pump answers within {PUMP_COMES_S:g} s; "
            "look at its display and its cable, and run the same command again: it then only checks"
        )


def verify(desk: Desk, flashing: Flashing) -> None:
    """Is it the image, did it pass its self-test, is everything kept?"""
    if desk.connect is None:
        flashing.checks = [_check("the board took the whole image and left its boot loader", True, True, True)]
        return
    with _pump(desk) as pump:
        after = told(pump)
    flashing.checks = checks(flashing.before, after, flashing.image)


STAGES: tuple[tuple[str, Callable[[Desk, Flashing], None]], ...] = (
    ("check", check),
    ("enter", enter),
    ("await drive", await_drive),
    ("copy", copy),
    ("await pump", await_pump),
    ("verify", verify),
)


# -- the run


def flash(desk: Desk, is_new: bool = False) -> tuple[Flashing, Path]:
    """All stages, or those that are left of a flashing that was interrupted. The flashing, and where its record is.

    is_new  the board is in its boot loader and no pump yet: no log-on, and nothing that it would have to keep
    FlashRefused, FlashBroken, or what the link says.
    """
    flashing, first = _new(desk) if is_new else _where_to_begin(desk)
    names = [name for name, _ in STAGES]
    for name, do in STAGES[names.index(first) :]:
        flashing.stage = name
        if name != "check":  # before it nothing has happened
            desk.journal.save(flashing)
        desk.stage(name)
        try:
            do(desk, flashing)
        except PumpRefused:  # it stays as it was
            desk.journal.forget(flashing)
            raise
    return flashing, desk.journal.end(flashing)


def _fresh(desk: Desk) -> Flashing:
    return Flashing(now(), desk.by, desk.address, None, desk.facts)


def _new(desk: Desk) -> tuple[Flashing, str]:
    if desk.authority and desk.signed is None:
        raise FlashRefused(f"--authority: nothing to check: {_UNSIGNED}")
    if desk.authority:
        sign.check_signature(desk.signed, desk.authority)
    _only_drive(desk, None, 0)
    return _fresh(desk), "await drive"


def _where_to_begin(desk: Desk) -> tuple[Flashing, str]:
    """The flashing that was begun and its next stage; or a fresh one."""
    flashing = _begun(desk)
    if flashing is None:
        return _fresh(desk), "check"
    if desk.boards():
        if flashing.image != desk.facts:
            raise FlashRefused(
                f"the flashing of pump {flashing.serial} that was begun {flashing.began} is of build "
                f"{flashing.image['build']}, this image is {desk.facts['build']}; name that image, or begin with --new"
            )
        return flashing, "await drive"
    if flashing.image == desk.facts and _build_of(desk) == desk.facts["build"]:
        return flashing, "await pump"
    desk.journal.forget(flashing)
    return _fresh(desk), "check"


def _begun(desk: Desk) -> Flashing | None:
    """The flashing of this pump that has not ended. FlashRefused when it cannot be told which."""
    unfinished = desk.journal.unfinished()
    begun = [flashing for flashing in unfinished if flashing.address == desk.address]
    if desk.boards() and not begun:  # the board that waits is none but that one, whatever its port is called now
        begun = [flashing for flashing in unfinished if flashing.address is not None]
    if len(begun) > 1:
        listed = ", ".join(f"{flashing.address} (serial {flashing.serial})" for flashing in begun)
        raise FlashRefused(f"{len(begun)} flashings were begun and have not ended: {listed}; name the pump's address")
    return begun[0] if begun else None


# -- what is asked and compared


def told(pump: Pump) -> dict[str, Any]:
    """What matters of what a pump says of itself."""
    hello, state = pump.ask("hello"), pump.ask("state")
    said = {key: hello.get(key) for key in _OF_HELLO}
    return said | {key: state[key] for key in ("state", "boot", "booked_nl", "next_seq", "rx", "needs_rx")}


def refuse_busy(said: dict[str, Any]) -> None:
    """FlashRefused while the pump gives something, or may go on to give by one press of START."""
    if said["state"] not in QUIET:
        raise FlashRefused(
            f"pump {said['serial']}: is in state {said['state']}; allowed: {' or '.join(QUIET)}; stop it first"
        )
    if said["rx"] and not said["needs_rx"]:
        raise FlashRefused(
            f"pump {said['serial']}: has a confirmed prescription ({said['rx']}) that START would resume; "
            "end it first (`cisterna stop`)"
        )


def refuse_image(desk: Desk, said: dict[str, Any]) -> None:
    """FlashRefused or SignatureWrong unless the pump's authority has signed this image, and it is for such a pump."""
    if desk.signed is None:
        raise FlashRefused(_UNSIGNED)
    if desk.by is None or desk.signer is None:
        raise FlashRefused("a pump is flashed by a person with the role service; name one with --by and --key")
    sign.check_facts(desk.image.path, desk.facts, desk.signed)
    variant = sign.manifest(desk.signed)["variant"]
    if variant != "therapy" and not said["bench"]:
        raise FlashRefused(f"pump {said['serial']}: is no bench pump; the image is {variant}; allowed: therapy")
    if desk.authority is not None:
        from cisterna.pharmacy.keys import fingerprint

        if fingerprint(desk.authority) != said["authority"]:
            raise FlashRefused(
                f"pump {said['serial']}: its authority is {said['authority']}, the one that was named is "
                f"{fingerprint(desk.authority)}; name the pump's own with --authority"
            )
        sign.check_signature(desk.signed, desk.authority)


def checks(before: dict[str, Any], after: dict[str, Any], image: dict[str, str]) -> list[dict[str, Any]]:
    """What must hold of a pump that was flashed, by what it said before and after."""
    found = [
        _check("build", after["build"], image["build"], after["build"] == image["build"]),
        _check("self-test", after["self_test"], "passed", after["self_test"] == "passed"),
        _check("state", after["state"], " or ".join(QUIET), after["state"] in QUIET),
    ]
    for key in ("serial", "bench", "authority", "people", "library"):
        found.append(_check(f"{key} kept", after[key], before[key], after[key] == before[key]))
    for key in ("booked_nl", "next_seq", "boot"):
        found.append(_check(f"{key} kept", after[key], f">= {before[key]}", after[key] >= before[key]))
    return found


def _check(what: str, held: Any, wanted: Any, passed: bool) -> dict[str, Any]:
    return {"check": what, "held": held, "wanted": wanted, "passed": passed}


# -- waiting


@contextlib.contextmanager
def _pump(desk: Desk) -> Iterator[Pump]:
    with contextlib.closing(desk.connect()) as pump:
        yield pump


def _build_of(desk: Desk) -> str | None:
    """What the pump runs; None while nobody answers."""
    try:
        with _pump(desk) as pump:
            return pump.ask("hello")["build"]
    except CisternaError:
        return None


def _is_up(desk: Desk) -> bool:
    try:
        with _pump(desk) as pump:
            return pump.ask("hello").get("self_test") != "running"
    except CisternaError:
        return False


def _only_drive(desk: Desk, flashing: Flashing | None, wait_s: float) -> Path:
    """The one board in its boot loader; waits for it. FlashBroken, FlashRefused."""
    _until(desk, lambda: bool(desk.boards()), wait_s)
    waiting = desk.boards()
    if len(waiting) > 1:  # a flashing that was begun has changed something: its pump waits among them
        refused = FlashRefused if flashing is None else FlashBroken
        raise refused(f"{len(waiting)} boards wait in their boot loader: {_listed(waiting)}; name one with --drive")
    if waiting:
        return waiting[0]
    if flashing is None:
        raise FlashRefused(
            "no board waits in its boot loader; hold BOOTSEL and plug it in, or `mpremote bootloader` where a "
            f"development image runs{drives.hint()}"
        )
    raise FlashBroken(
        f"pump {flashing.serial}: no board shows itself as a drive{drives.hint()}; run the same command again; if the "
        "pump says nothing either, hold BOOTSEL while it is plugged in"
    )


def _until(desk: Desk, holds: Callable[[], bool], wait_s: float) -> bool:
    """Waits until `holds`, or so long."""
    last_s = desk.clock() + wait_s
    while not holds():
        if desk.clock() >= last_s:
            return False
        desk.sleep(_LOOK_S)
    return True


def _listed(paths: list[Path]) -> str:
    return ", ".join(str(path) for path in paths)
