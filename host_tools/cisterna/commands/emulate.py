"""`cisterna emulate`: a simulated pump whose serial ports are pseudo-terminals."""

from pathlib import Path
from typing import Annotated

import typer

from cisterna.console import errors_as_lines

app = typer.Typer()


@app.command(
    epilog="Example:  cisterna emulate --board unix --bench   and, in another terminal,  cisterna status unix:   "
    "Exit status: 0 ended by Ctrl-C, SIGTERM or quit, 2 no such image, or a file that cannot be used."
)
def emulate(
    board: Annotated[str, typer.Option(help="rp2040 (image on an emulated chip) or unix (sources).")] = "rp2040",
    image: Annotated[
        Path | None, typer.Option(help="A .uf2 file; if left out, the development image of `make image`.")
    ] = None,
    pump: Annotated[
        bool, typer.Option("--pump/--bare", help="With the simulated pump around the chip, or the chip alone.")
    ] = True,
    bench: Annotated[bool, typer.Option("--bench", help="Start provisioned, with this user's bench keys.")] = False,
    serial: Annotated[str, typer.Option(help="The pump's serial number, with --bench.")] = "BENCH-0001",
    state: Annotated[
        Path | None, typer.Option(help="Load and save all non-volatile state of the pump in this file.")
    ] = None,
    flash: Annotated[
        Path | None, typer.Option(help="Save the flash in this file; without --image, run its contents.")
    ] = None,
    drive: Annotated[Path | None, typer.Option(help="A folder that serves as the boot loader's drive.")] = None,
    speed: Annotated[float, typer.Option(help="Pump seconds per real second; --board unix only.")] = 1.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object: link, console, serial ...")] = False,
) -> None:
    """Run a simulated pump whose serial ports, link and development console, are pseudo-terminals.

    Runs until Ctrl-C. With --state, a restart is a power cycle. Standard input takes commands of the hands at the
    pump: `press start 2.5`, `press stop`, `door open`, `look`, `quit`.
    """
    with errors_as_lines():
        from cisterna.bench import emulator

        options = emulator.Options(board, image, pump, flash, state, drive, serial if bench else None, speed)
        emulator.run(options, as_json)
