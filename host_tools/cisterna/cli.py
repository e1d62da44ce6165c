"""The command `cisterna`. Each command imports what it needs when it runs, so that --help is fast."""

import typer

from cisterna.commands import (
    bedside,
    bolus,
    deploy,
    doctor,
    documents,
    emulate,
    factory,
    flash,
    image,
    keys,
    prescriptions,
    provision,
    pump,
    sim,
    watch,
)
from cisterna.console import prepare_streams

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Tools for an open intrathecal PCA pump. Research and bench use only; not a medical device.",
)

for module in (flash, factory, doctor, sim, emulate, deploy):
    app.add_typer(module.app)
app.add_typer(image.app, name="image")
app.add_typer(keys.app, name="key")
app.add_typer(prescriptions.app, name="rx")
app.add_typer(documents.people_app, name="people")
app.add_typer(documents.library_app, name="library")
app.add_typer(bolus.app, name="bolus")
for module in (pump, watch, provision, bedside):
    app.add_typer(module.app)


def main() -> None:
    prepare_streams()
    app()
