"""`cisterna doctor`: list the tools, ports and boards that Cisterna can use on this computer."""

from dataclasses import asdict
from typing import Annotated

import typer

from cisterna.console import WIDE_PIPE_WIDTH, errors_as_lines, plain_table, print_json, stdout_console

app = typer.Typer()

SOMETHING_MISSING = 1  # exit status


@app.command(
    epilog="Example:  cisterna doctor   "
    "Exit status: 0 everything that `make run` and `make test` need is there, 1 something is missing."
)
def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list of the checks.")] = False) -> None:
    """Check which tools, ports and boards this computer has, and print what to do about missing ones."""
    with errors_as_lines():
        from cisterna.flash import doctor as search

        lines = search.find_all()
        if as_json:
            print_json([asdict(line) for line in lines])
        else:
            table = plain_table("", "what", "found", "what to do")
            for line in lines:
                state = line.state.upper() if line.needed and line.state != search.OK else line.state
                table.add_row(state, line.what, line.found, line.do)
            stdout_console(WIDE_PIPE_WIDTH, highlight=False).print(table)
    if not search.is_ready(lines):
        raise typer.Exit(SOMETHING_MISSING)
