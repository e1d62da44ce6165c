"""`cisterna deploy`: run the firmware of this checkout on a board with a development image."""

from __future__ import annotations

from typing import Annotated

import typer

from cisterna.console import errors_as_lines, print_json, print_lines, progress_bar, tell

app = typer.Typer()


@app.command(
    epilog="Example:  cisterna deploy --port /dev/ttyACM0   "
    "Exit status: 0 the board has this firmware, 2 refused and nothing changed, 70 the board did not do it."
)
def deploy(
    port: Annotated[
        str | None, typer.Option(help="The board's serial port; required while a program runs on the board.")
    ] = None,
    make_fs: Annotated[
        bool, typer.Option("--format", help="Make a new file system first; all files on the board are lost.")
    ] = False,
    full: Annotated[bool, typer.Option("--full", help="Also send files that the board has already.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be done. This, too, ends the running program.")
    ] = False,
    restart: Annotated[bool, typer.Option(help="Reset the board at the end.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print only the summary, as one JSON object.")] = False,
) -> None:
    """Run the firmware of this checkout on a board that has a development image.

    Sends only modules that differ from the image and that the board lacks. The board runs the old set until the new
    one is complete. For the bench: deploying ends the running program of the pump.
    """
    with errors_as_lines():
        from cisterna.flash import deploy as deployment
        from cisterna.flash import deploy_report
        from cisterna.image.places import of_checkout

        options = deployment.Options(port, make_fs, full, dry_run, restart)
        with progress_bar("deploying") as progress:
            outcome = deployment.deploy(of_checkout(), options, tell, progress)
        if as_json:
            print_json(outcome.summary())
        else:
            print_lines(deploy_report.lines(outcome, dry_run))
