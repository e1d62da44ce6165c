"""Output that all commands share: errors as lines, JSON, tables, progress bars, prompts to the person at the pump."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
from collections.abc import Callable, Generator, Iterable
from typing import TYPE_CHECKING, Any

import typer

from cisterna.errors import CisternaError, OutputError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EBADF)  # without a file name: a write to standard output
UNEXPECTED = 70  # exit status of an error that no code expected
PIPE_WIDTH = 110  # columns of a table or report where standard output is no terminal
WIDE_PIPE_WIDTH = 150  # the same for tables with a column of free text

# Done part, 0 to 1, and optionally a new title; None where there is no terminal
Progress = Callable[..., None] | None


@contextlib.contextmanager
def errors_as_lines() -> Generator[None, None, None]:
    """Print each error as one line per problem and exit with its status; a traceback only with CISTERNA_DEBUG=1."""
    debug = os.environ.get("CISTERNA_DEBUG") == "1"
    try:
        yield
        sys.stdout.flush()  # here, and not at the interpreter's end, a failure has its line and its status
    except CisternaError as error:
        if debug:
            raise
        tell(str(error))
        raise typer.Exit(error.exit_status) from None
    except BrokenPipeError:  # the reader of standard output has ended, as `| head` does
        discard_stdout()
        raise typer.Exit(0) from None
    except Exception as error:
        if isinstance(error, OSError) and error.filename is None and error.errno in _FULL:
            tell(f"standard output: cannot be written: {error.strerror}")
            discard_stdout()
            raise typer.Exit(OutputError.exit_status) from None
        if debug:
            raise
        name = type(error).__name__
        tell(f"unexpected {name}: {error} (set CISTERNA_DEBUG=1 for the traceback, and report it)")
        raise typer.Exit(UNEXPECTED) from None


def tell(text: str) -> None:
    """Print a line to standard error: an error, a progress note, or what the person at the pump has to do now."""
    with contextlib.suppress(OSError):  # a full or closed standard error changes no exit status
        typer.echo(text, err=True)


def prepare_streams() -> None:
    """Open closed standard streams on the null device, and let standard output escape characters it cannot encode.

    Without it the next file that is opened takes the number of the closed stream.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest free number: this one
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, mode, closefd=False))
    _escape_on_stdout()


def discard_stdout() -> None:
    """Send standard output, with what it still holds, to the null device."""
    with contextlib.suppress(OSError):  # a stream of a test has no number
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _escape_on_stdout(encoding: str | None = None) -> None:
    """From now on standard output escapes what it cannot encode. encoding: None: as it is."""
    stream: Any = sys.stdout
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(encoding=encoding, errors="backslashreplace")


def print_json(value: Any) -> None:
    """Print `value` as indented JSON to standard output, in UTF-8 whatever the locale."""
    import json

    _escape_on_stdout("utf-8")
    print(json.dumps(value, indent=2, ensure_ascii=False))


def print_lines(lines: Iterable[str]) -> None:
    for line in lines:
        print(line)


def stdout_console(pipe_width: int = PIPE_WIDTH, **options: Any) -> Console:
    """A rich console on standard output, `pipe_width` columns wide where that is no terminal. Text is no markup."""
    from rich.console import Console

    class StdoutConsole(Console):
        def on_broken_pipe(self) -> None:
            raise  # noqa: PLE0704 (rich calls this while it handles the BrokenPipeError; its own would exit with 1)

    return StdoutConsole(markup=False, width=None if sys.stdout.isatty() else pipe_width, **options)


def plain_table(*columns: str) -> Table:
    """A table without frame whose cells fold long text."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


@contextlib.contextmanager
def progress_bar(title: str) -> Generator[Progress, None, None]:
    """A progress bar on standard error; None in a pipe. Call it with the done part, 0 to 1, and a new title if any."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=1.0)

        def update(done: float, title: str | None = None) -> None:
            bar.update(task, completed=done, description=title)

        yield update


@contextlib.contextmanager
def step_line() -> Generator[Callable[[str], None], None, None]:
    """A line on standard error that names the step that runs; nothing in a pipe. Call it with the name of each step."""
    if not sys.stderr.isatty():
        yield lambda step: None
        return
    from rich.console import Console

    with Console(stderr=True).status("") as status:
        yield status.update
