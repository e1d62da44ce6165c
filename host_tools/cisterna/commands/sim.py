"""`cisterna sim`: play a scenario file on a simulated pump, print the result and compare with its expectations."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cisterna.console import discard_stdout, errors_as_lines, print_json, progress_bar, stdout_console
from cisterna.errors import CisternaError, OutputError, PumpRefused

if TYPE_CHECKING:
    from cisterna.sim.runner import Outcome
    from cisterna.sim.scenario_model import Scenario

app = typer.Typer()

EXPECTATION_FAILED = 1  # exit status
TRACE_EVERY_S = 30.0
PLOT_ROWS = 2_880  # one day at 30 s; longer scenarios are drawn from as many rows


def _list_flips(is_given: bool) -> None:
    if is_given:
        from cisterna.sim import flips

        with errors_as_lines():
            for name, bits in flips.widths().items():
                print(name, bits)
        raise typer.Exit()


def _list_shipped(is_given: bool) -> None:
    if is_given:
        from cisterna.sim import scenario_file

        with errors_as_lines():
            for name, title in scenario_file.shipped().items():
                print(f"{name:24} {title}")
        raise typer.Exit()


@app.command(
    epilog="Example:  cisterna sim hydromorphone-pca-day --plot day.png   "
    "Exit status: 0 every expectation held, 1 one failed, 2 bad file or first prescription refused."
)
def sim(
    file: Annotated[Path, typer.Argument(help="The scenario: a TOML file, or the name of a shipped one.")],
    target: Annotated[str, typer.Option(help="unix (simulated board) or rp2040 (image on an emulated chip).")] = "unix",
    engine: Annotated[
        str | None, typer.Option(help="What runs the simulated board: micropython (the proof), pypy (fast), cpython.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print only the summary, as one JSON object.")] = False,
    trace: Annotated[Path | None, typer.Option(help="Write one row each 30 s to this CSV file.")] = None,
    trace_every: Annotated[float | None, typer.Option(metavar="S", help="Seconds between rows.")] = None,
    log: Annotated[Path | None, typer.Option(help="Write the pump's records, one JSON object per line.")] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Draw the therapy to this file: PNG, or as its suffix says.")
    ] = None,
    list_shipped: Annotated[
        bool, typer.Option("--list", callback=_list_shipped, is_eager=True, help="List the shipped scenarios.")
    ] = False,
    list_flips: Annotated[
        bool,
        typer.Option(
            "--list-flips", callback=_list_flips, is_eager=True, help="List the variables that `flip` knows, with bits."
        ),
    ] = False,
) -> None:
    """Play a scenario file on a simulated pump and print the result."""
    with errors_as_lines():
        from cisterna.sim import expect, scenario_file

        path = scenario_file.find(file)
        scenario = scenario_file.load(path)
        _check_options(target, engine, trace_every, {"--trace": trace, "--log": log, "--plot": plot}, path)
        every_s = _row_every_s(scenario, trace_every, trace is not None, plot is not None)
        try:
            outcome = _run(scenario, target, engine, every_s)
        except PumpRefused as refusal:
            raise CisternaError(f"{file}: prescription: {refusal}") from None
        _write(outcome, scenario, trace, log, plot)
        failures = expect.failures(outcome.summary, scenario.expect)
        try:
            _print(outcome, scenario, failures, as_json)
            sys.stdout.flush()
        except BrokenPipeError:  # the reader has ended; a failed expectation still counts
            discard_stdout()
    if failures:
        raise typer.Exit(EXPECTATION_FAILED)


def _check_options(
    target: str,
    engine: str | None,
    trace_every: float | None,
    outputs: dict[str, Path | None],
    scenario: Path,
) -> None:
    """Raises CisternaError for a wrong option before the run begins; a run can take minutes."""
    from cisterna.bench import targets

    targets.check(target, engine)
    if trace_every is not None and not 1 <= trace_every <= 1e7:
        raise CisternaError(f"--trace-every held {trace_every:g}; allowed: 1 s or more")
    taken = {"the scenario": scenario}
    for option, path in outputs.items():
        if path is None:
            continue
        if os.path.isdir(path) or not os.path.isdir(path.parent):
            raise OutputError(f"{option} held {path}; allowed: a file in a folder that exists")
        _check_writable(option, path)
        for what, other in taken.items():
            if _is_same_file(path, other):
                raise OutputError(f"{option} held {path}, which is {what}; allowed: a file of its own")
        taken[option] = path
        if option == "--plot":
            from cisterna.sim import plot

            plot.format_of(path)


def _check_writable(option: str, path: Path) -> None:
    """Raises OutputError if the file, or a new one in its folder, cannot be written. Changes nothing."""
    try:
        if os.path.isfile(path):
            path.open("ab").close()
        elif not os.path.exists(path):
            with tempfile.TemporaryFile(dir=path.parent):
                pass
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else str(error)
        raise OutputError(f"{option} held {path}: {why}; allowed: a file that can be written") from None


def _is_same_file(path: Path, other: Path) -> bool:
    """Whether both names lead to one file; a device or pipe may be named twice."""
    if os.path.exists(path) and not os.path.isfile(path):
        return False
    there = os.path.exists(path) and os.path.exists(other)
    return os.path.realpath(path) == os.path.realpath(other) or (there and os.path.samefile(path, other))


def _row_every_s(scenario: Scenario, trace_every: float | None, trace: bool, plot: bool) -> float | None:
    """Seconds between the rows of the run; None if nothing needs rows."""
    if not (trace or plot):
        return None
    if trace or trace_every:
        return trace_every or TRACE_EVERY_S
    return max(TRACE_EVERY_S, scenario.duration_ms // PLOT_ROWS / 1000)


def _run(scenario: Scenario, target: str, engine: str | None, every_s: float | None) -> Outcome:
    from cisterna.bench import targets
    from cisterna.sim import runner

    every_ms = None if every_s is None else round(every_s * 1000)
    with progress_bar(scenario.title) as progress:
        return runner.run(scenario, targets.make(target, engine), every_ms, progress)


def _write(outcome: Outcome, scenario: Scenario, trace: Path | None, log: Path | None, plot: Path | None) -> None:
    if trace is not None:
        from cisterna.sim import trace as trace_file

        trace_file.write(trace, outcome.rows)
    if log is not None:
        from cisterna.link import records

        records.write_jsonl(log, outcome.records, outcome.moment_s)
    if plot is not None:
        from cisterna.sim import plot as page

        page.draw(plot, outcome.rows, outcome.summary, scenario.prescription)


def _print(outcome: Outcome, scenario: Scenario, failures: list[str], as_json: bool) -> None:
    if as_json:
        print_json(outcome.summary)
    else:
        from cisterna.sim import report

        report.show(outcome.summary, scenario.prescription, outcome.drugs, stdout_console())
    for line in failures:
        print(line, file=sys.stderr if as_json else sys.stdout)
