"""The command `cisterna`. Only what a command needs is imported, when it runs: help is there at once."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cisterna.errors import CisternaError, OutputError, PumpRefused
from cisterna.flash import commands as flash_commands
from cisterna.flash import workshop
from cisterna.image import commands as image_commands
from cisterna.link import commands as link_commands
from cisterna.link import ward
from cisterna.pharmacy import commands as pharmacy_commands

if TYPE_CHECKING:
    from cisterna.sim.runner import Outcome
    from cisterna.sim.schema import Scenario

EXPECTATION_FAILED = 1
BROKEN = 70
TRACE_EVERY_S = 30.0
PIPE_WIDTH = 110  # columns of the account where no terminal says
PLOT_ROWS = 2_880  # a day at 30 s; a longer plot is drawn from as many

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Tools for an open intrathecal PCA pump. Research and bench use only; not a medical device.",
)


app.add_typer(image_commands.app, name="image")
flash_commands.register(app)
workshop.register(app)
app.add_typer(pharmacy_commands.key_app, name="key")
app.add_typer(pharmacy_commands.rx_app, name="rx")
app.add_typer(pharmacy_commands.people_app, name="people")
app.add_typer(pharmacy_commands.library_app, name="library")
app.add_typer(pharmacy_commands.bolus_app, name="bolus")
app.add_typer(link_commands.app)
app.add_typer(ward.app)


def _list_flips(wanted: bool) -> None:
    if wanted:
        typer.echo("--list-flips: in the contract, but not yet in this version", err=True)
        raise typer.Exit(2)


@app.command(
    epilog="Example:  cisterna sim host_tools/cisterna/scenarios/hydromorphone-pca-day.toml --plot day.png   "
    "Exit status: 0 every expectation held, 1 one failed, 2 bad file or first prescription refused."
)
def sim(
    file: Annotated[Path, typer.Argument(help="The scenario, a TOML file.")],
    target: Annotated[str, typer.Option(help="unix (simulated board), rp2040 (image, emulated chip).")] = "unix",
    as_json: Annotated[bool, typer.Option("--json", help="Print only the summary object.")] = False,
    trace: Annotated[Path | None, typer.Option(help="Write one row each 30 s to this CSV file.")] = None,
    trace_every: Annotated[float | None, typer.Option(metavar="S", help="Seconds from row to row.")] = None,
    log: Annotated[Path | None, typer.Option(help="Write the pump's records, one JSON object a line.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw the therapy to this PNG file.")] = None,
    list_flips: Annotated[
        bool, typer.Option("--list-flips", callback=_list_flips, is_eager=True, help="Not yet.")
    ] = False,
) -> None:
    """Play a scenario file on a simulated pump and say what happened."""
    with errors_as_lines():
        from cisterna.sim import expect, schema

        scenario = schema.load(file)
        _check_options(target, trace_every, {"--trace": trace, "--log": log, "--plot": plot})
        every_s = _row_every_s(scenario, trace_every, trace is not None, plot is not None)
        try:
            outcome = _run(scenario, target, every_s)
        except PumpRefused as refusal:
            raise CisternaError(f"{file}: prescription: {refusal}") from None
        _write(outcome, scenario, trace, log, plot)
        failures = expect.failures(outcome.summary, scenario.expect)
        _print(outcome, scenario, failures, as_json)
    if failures:
        raise typer.Exit(EXPECTATION_FAILED)


@app.command(
    epilog="Example:  cisterna emulate --board unix --bench   and, in another terminal,  cisterna status unix:   "
    "Exit status: 0 ended by Ctrl-C, SIGTERM or quit, 2 no such image, or a file that cannot be used."
)
def emulate(
    board: Annotated[str, typer.Option(help="rp2040 (an image on an emulated chip), unix (the sources).")] = "rp2040",
    image: Annotated[Path | None, typer.Option(help="A .uf2; else the development image of `make image`.")] = None,
    pump: Annotated[bool, typer.Option("--pump/--bare", help="The simulated pump around the chip, or none.")] = True,
    bench: Annotated[bool, typer.Option("--bench", help="Start provisioned, with this user's bench keys.")] = False,
    serial: Annotated[str, typer.Option(help="Its serial number, with --bench.")] = "BENCH-0001",
    state: Annotated[Path | None, typer.Option(help="Keep all that outlives the power, for the next time.")] = None,
    flash: Annotated[Path | None, typer.Option(help="Keep the flash in this file; without --image, run it.")] = None,
    drive: Annotated[Path | None, typer.Option(help="A folder that stands for the boot loader's drive.")] = None,
    speed: Annotated[float, typer.Option(help="Seconds of the pump in a second; unix only.")] = 1.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object: link, console, serial ...")] = False,
) -> None:
    """Run a simulated pump whose serial ports are pseudo-terminals: the link, and the console of a development image.

    It goes on until Ctrl-C. With --state, a restart is a power cycle. Standard input is a pair of hands:
    `press start 2.5`, `press stop`, `door open`, `look`, `quit`.
    """
    with errors_as_lines():
        from cisterna.bench import emulated

        options = emulated.Options(board, image, pump, flash, state, drive, serial if bench else None, speed)
        emulated.run(options, as_json)


@app.command(
    epilog="Example:  cisterna deploy --port /dev/ttyACM0   "
    "Exit status: 0 the board has this firmware, 2 refused and nothing changed, 70 the board did not do it."
)
def deploy(
    port: Annotated[str | None, typer.Option(help="The board's serial port; needed when a program runs on it.")] = None,
    make_fs: Annotated[bool, typer.Option("--format", help="Make a new file system first: all in it is lost.")] = False,
    full: Annotated[bool, typer.Option("--full", help="Send also what the board has already.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done. Ends the program, too.")] = False,
    restart: Annotated[bool, typer.Option(help="Reset the board at the end.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print only the summary object.")] = False,
) -> None:
    """Run the firmware of this checkout on a board that has a development image.

    Only modules that differ from the image are sent, and of those only what the board lacks. The board runs the old
    set until the new one is there whole. For the bench: deploying ends what the pump is doing.
    """
    with errors_as_lines():
        from cisterna.flash import deploy as flash
        from cisterna.flash import told
        from cisterna.image.places import of_checkout

        options = flash.Options(port, make_fs, full, dry_run, restart)
        with progress_bar("deploying") as progress:
            outcome = flash.deploy(of_checkout(), options, lambda text: typer.echo(text, err=True), progress)
        told.show(outcome, dry_run, as_json)


def _check_options(target: str, trace_every: float | None, outputs: dict[str, Path | None]) -> None:
    """Before anything runs: nobody wants to hear of a wrong path after ninety days."""
    from cisterna.bench import targets

    targets.check(target)
    if trace_every is not None and not 1 <= trace_every <= 1e7:
        raise CisternaError(f"--trace-every held {trace_every:g}; allowed: 1 s or more")
    for option, path in outputs.items():
        if path is not None and (path.is_dir() or not path.parent.is_dir()):
            raise OutputError(f"{option} held {path}; allowed: a file in a folder that exists")


def _row_every_s(scenario: "Scenario", asked_s: float | None, trace: bool, plot: bool) -> float | None:
    if not (trace or plot):
        return None
    if trace or asked_s:
        return asked_s or TRACE_EVERY_S
    return max(TRACE_EVERY_S, scenario.duration_ms // PLOT_ROWS / 1000)


def _run(scenario: "Scenario", target: str, every_s: float | None) -> "Outcome":
    from cisterna.bench import targets
    from cisterna.sim import runner

    every_ms = None if every_s is None else round(every_s * 1000)
    with progress_bar(scenario.title) as progress:
        return runner.run(scenario, targets.make(target), every_ms, progress)


@contextlib.contextmanager
def progress_bar(title: str) -> "Iterator[Callable[..., None] | None]":
    """A bar on the terminal, on standard error; nothing in a pipe. It takes the part that is done, and a new title."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=1.0)
        yield lambda done, title=None: bar.update(task, completed=done, description=title)


def _write(outcome: "Outcome", scenario: "Scenario", trace: Path | None, log: Path | None, plot: Path | None) -> None:
    if trace is not None:
        from cisterna.sim import trace as trace_file

        trace_file.write(trace, outcome.rows)
    if log is not None:
        from cisterna.link import records

        records.write_jsonl(log, outcome.records, outcome.moment_s)
    if plot is not None:
        from cisterna.sim import plot as page

        page.draw(plot, outcome.rows, outcome.summary, scenario.prescription)


def _print(outcome: "Outcome", scenario: "Scenario", failures: list[str], as_json: bool) -> None:
    if as_json:
        import json

        print(json.dumps(outcome.summary, indent=2, ensure_ascii=False))
    else:
        from rich.console import Console

        from cisterna.sim import account

        width = None if sys.stdout.isatty() else PIPE_WIDTH
        account.show(outcome.summary, scenario.prescription, outcome.drugs, Console(width=width))
    for line in failures:
        print(line, file=sys.stderr if as_json else sys.stdout)


@contextlib.contextmanager
def errors_as_lines() -> Iterator[None]:
    """Every error is one line a problem and an exit status; a traceback only with CISTERNA_DEBUG=1."""
    debug = os.environ.get("CISTERNA_DEBUG") == "1"
    try:
        yield
    except CisternaError as error:
        if debug:
            raise
        typer.echo(str(error), err=True)
        raise typer.Exit(error.exit_status) from None
    except BrokenPipeError:  # the reader has gone: `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(0) from None
    except Exception as error:
        if debug:
            raise
        name = type(error).__name__
        typer.echo(f"unexpected {name}: {error} (set CISTERNA_DEBUG=1 for the whole story, and report it)", err=True)
        raise typer.Exit(BROKEN) from None


def main() -> None:
    app()
