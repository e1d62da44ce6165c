"""Puts a new image onto one board, in stages. The journal names each stage before it begins, so a run can end anywhere.

After an interruption, run the same command again. The board decides where the run continues:
    the board waits in its boot loader     the image is copied
    the pump already has the new image     the pump is only checked
    the pump has its old image             the run starts from the beginning
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator
from pathlib import Path

from cisterna.errors import CisternaError, LinkError, PumpRefused
from cisterna.flash import drives, pump_checks
from cisterna.flash.flash_context import FlashablePump, FlashBroken, FlashContext, FlashRefused
from cisterna.flash.journal import FlashRun, utc_now
from cisterna.image import image_files

DRIVE_TIMEOUT_S = 30.0  # a desktop may take seconds to mount the drive
COPY_TIMEOUT_S = 30.0  # the boot loader writes for 4 s and restarts 1 s later
START_TIMEOUT_S = 60.0
_POLL_S = 0.2


# -- the stages, in their order


def check(context: FlashContext, run: FlashRun) -> None:
    """Note the pump's status. Raises FlashRefused if this pump must not be flashed now, or not with this image."""
    waiting = context.boards()
    if waiting:
        raise FlashRefused(
            f"a board waits in its boot loader at {_listed(waiting)}: to put the image there, use --new; to flash a "
            "pump on the link, unplug that board first, so that the pump's own drive can be told apart"
        )
    with _pump(context) as pump:
        run.before = pump_checks.read_status(pump)
    run.serial = run.before["serial"]
    if not run.before["board"].startswith("pico-"):
        raise FlashRefused(f"pump {run.serial}: runs on board {run.before['board']}, which takes no image")
    pump_checks.refuse_busy(run.before)
    pump_checks.refuse_image(context, run.before)


def enter(context: FlashContext, run: FlashRun) -> None:
    """Log on and send the signed manifest: a pump that accepts it restarts into its boot loader."""
    by, signer, signed = context.by, context.signer, context.signed
    assert by is not None and signer is not None and signed is not None  # see `pump_checks.refuse_image`
    with _pump(context) as pump:
        pump.log_on(by, signer, "service")
        with contextlib.suppress(LinkError):  # the answer may be lost as the pump restarts; the next stage finds out
            pump.command("image.bootsel", {"document": signed.document, "signature": signed.signature})


def await_drive(context: FlashContext, run: FlashRun) -> None:
    """Wait for the boot loader's drive."""
    _only_drive(context, run, DRIVE_TIMEOUT_S)


def copy(context: FlashContext, run: FlashRun) -> None:
    """Write the image. The board leaves its boot loader when it has all of it."""
    drive = _only_drive(context, run, 0)
    drives.write_image(context.image, drive, context.progress)
    if not _wait_until(context, lambda: drive not in context.boards(), COPY_TIMEOUT_S):
        raise FlashBroken(
            f"{drive}: the board has not left its boot loader {COPY_TIMEOUT_S:g} s after the whole image was written; "
            "unplug it, plug it in again, and run the same command again"
        )


def await_pump(context: FlashContext, run: FlashRun) -> None:
    """Wait until the pump has started and ended its self-test."""
    if context.connect is None:
        return
    if not _wait_until(context, lambda: _is_up(context), START_TIMEOUT_S):
        raise FlashBroken(
            f"{context.address}: the board has the image, but no pump answers within {START_TIMEOUT_S:g} s; "
            "look at its display and its cable, and run the same command again, which then only checks"
        )


def verify(context: FlashContext, run: FlashRun) -> None:
    """Compare the pump's status with the status before, and with the image."""
    if context.connect is None:
        took_it = "the board took the whole image and left its boot loader"
        run.checks = [pump_checks.result(took_it, True, True, True)]
        return
    with _pump(context) as pump:
        after = pump_checks.read_status(pump)
    run.checks = pump_checks.compare(run.before, after, run.image)


STAGES: tuple[tuple[str, Callable[[FlashContext, FlashRun], None]], ...] = (
    ("check", check),
    ("enter", enter),
    ("await drive", await_drive),
    ("copy", copy),
    ("await pump", await_pump),
    ("verify", verify),
)


# -- the run


def flash(context: FlashContext, is_new: bool = False) -> tuple[FlashRun, Path]:
    """Run all stages, or the remaining stages of an interrupted run. Returns the run and the path of its record.

    is_new  the board is in its boot loader and is no pump yet: no log-on, no data to keep
    Raises FlashRefused, FlashBroken, DriveGone, OutputError, or LinkError and PumpRefused of the link.
    """
    run, first = _new_board(context) if is_new else _resume_or_start(context)
    names = [name for name, _ in STAGES]
    for name, do in STAGES[names.index(first) :]:
        run.stage = name
        if name != "check":  # nothing is changed before or in `check`
            context.journal.save(run)
        context.stage(name)
        try:
            do(context, run)
        except PumpRefused:  # the pump is unchanged
            context.journal.discard(run)
            raise
    return run, context.journal.finish(run)


def _new_run(context: FlashContext) -> FlashRun:
    return FlashRun(utc_now(), context.by, context.address, None, context.facts)


def _new_board(context: FlashContext) -> tuple[FlashRun, str]:
    if context.authority:
        if context.signed is None:
            raise FlashRefused(f"--authority: nothing to check: {pump_checks.UNSIGNED}")
        image_files.check_signature(context.signed, context.authority)
    _only_drive(context, None, 0)
    return _new_run(context), "await drive"


def _resume_or_start(context: FlashContext) -> tuple[FlashRun, str]:
    """The unfinished run of this pump, or a new one; and the name of its next stage."""
    run = _unfinished_run(context)
    if run is None:
        return _new_run(context), "check"
    if context.boards():
        if run.image != context.facts:
            raise FlashRefused(
                f"the flashing of pump {run.serial} that was begun {run.began} is of build "
                f"{run.image['build']}, this image is {context.facts['build']}; name that image, or begin with --new"
            )
        return run, "await drive"
    if run.image == context.facts and _running_build(context) == context.facts["build"]:
        return run, "await pump"
    context.journal.discard(run)
    return _new_run(context), "check"


def _unfinished_run(context: FlashContext) -> FlashRun | None:
    """The unfinished run of this pump. Raises FlashRefused if several runs could be that one."""
    unfinished = context.journal.unfinished()
    runs = [run for run in unfinished if run.address == context.address]
    if context.boards() and not runs:  # the waiting board belongs to an unfinished run; its address may have changed
        runs = [run for run in unfinished if run.address is not None]
    if len(runs) > 1:
        listed = ", ".join(f"{run.address} (serial {run.serial})" for run in runs)
        raise FlashRefused(f"{len(runs)} flashings were begun and have not ended: {listed}; name the pump's address")
    return runs[0] if runs else None


# -- the pump and the drive


@contextlib.contextmanager
def _pump(context: FlashContext) -> Generator[FlashablePump, None, None]:
    assert context.connect  # only a run for a pump on the link comes here
    with contextlib.closing(context.connect()) as pump:
        yield pump


def _running_build(context: FlashContext) -> str | None:
    """The build that the pump runs; None if no pump answers."""
    try:
        with _pump(context) as pump:
            return pump.ask("hello")["build"]
    except CisternaError:
        return None


def _is_up(context: FlashContext) -> bool:
    try:
        with _pump(context) as pump:
            return pump.ask("hello").get("self_test") != "running"
    except CisternaError:
        return False


def _only_drive(context: FlashContext, run: FlashRun | None, wait_s: float) -> Path:
    """The drive of the only board in its boot loader, waiting up to `wait_s`.

    Raises FlashRefused without a run, FlashBroken with one: its pump has left for the boot loader already.
    """
    _wait_until(context, lambda: bool(context.boards()), wait_s)
    waiting = context.boards()
    if len(waiting) > 1:
        error = FlashRefused if run is None else FlashBroken
        raise error(f"{len(waiting)} boards wait in their boot loader: {_listed(waiting)}; name one with --drive")
    if waiting:
        return waiting[0]
    if run is None:
        raise FlashRefused(
            "no board waits in its boot loader; hold BOOTSEL and plug it in, or `mpremote bootloader` where a "
            f"development image runs{drives.hint()}"
        )
    raise FlashBroken(
        f"pump {run.serial}: no board shows itself as a drive{drives.hint()}; run the same command again; if the "
        "pump does not answer either, hold BOOTSEL while plugging it in"
    )


def _wait_until(context: FlashContext, condition: Callable[[], bool], timeout_s: float) -> bool:
    """True once `condition` holds, False after `timeout_s`."""
    end_s = context.clock() + timeout_s
    while not condition():
        if context.clock() >= end_s:
            return False
        context.sleep(_POLL_S)
    return True


def _listed(paths: list[Path]) -> str:
    return ", ".join(str(path) for path in paths)
