"""`cisterna image`: builds the flashable images, and says what an image file is."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from cisterna.image.product import Image

app = typer.Typer(no_args_is_help=True, help="Build the flashable image of the real board, or say what one is.")
PIPE_WIDTH = 110


@app.command(epilog="Example:  cisterna image build --variant therapy")
def build(
    variant: Annotated[str, typer.Option(help="therapy, development, or both.")] = "both",
    twice: Annotated[bool, typer.Option("--twice", help="Prove that the same sources give the same bytes.")] = False,
) -> None:
    """Build what has changed; the images are put into build/image."""
    from cisterna.cli import errors_as_lines

    with errors_as_lines():
        from rich.console import Console

        from cisterna.errors import CisternaError
        from cisterna.image import build as builder
        from cisterna.image.places import VARIANTS, of_checkout

        if variant not in (*VARIANTS, "both"):
            raise CisternaError(f'--variant held "{variant}"; allowed: {", ".join(VARIANTS)}, both')
        variants = VARIANTS if variant == "both" else (variant,)
        places = of_checkout()
        with _progress() as say:
            if twice:
                builder.build_twice(places, variants, say)
            images = builder.build(places, variants, say)
        console = Console(width=None if sys.stdout.isatty() else PIPE_WIDTH)
        for image in images:
            _show(image, console)
        if twice:
            print("two builds in two other folders gave the same bytes")


@app.command(epilog="Example:  cisterna image show build/image/cisterna-therapy.uf2")
def show(file: Annotated[Path, typer.Argument(help="An image, a UF2 file.")]) -> None:
    """Say which build, commit and variant an image file is."""
    from cisterna.cli import errors_as_lines

    with errors_as_lines():
        from cisterna.image import product

        print(product.read(file))


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """The step that runs, on a terminal; nothing in a pipe."""
    if not sys.stderr.isatty():
        yield lambda step: None
        return
    from rich.console import Console

    with Console(stderr=True).status("") as status:
        yield status.update


def _show(image: "Image", console: "Console") -> None:
    from rich.table import Table

    about = image.about
    table = Table()
    table.add_column("section")
    for heading in ("bytes", "budget", "used"):
        table.add_column(heading, justify="right")
    rows = [(name, section["bytes"], section["budget"]) for name, section in about["sections"].items()]
    rows.append(("flash in all", about["flash"]["used"], about["flash"]["available"]))
    for name, size, budget in rows:
        table.add_row(name, f"{size:,}", f"{budget:,}", f"{100 * size / budget:.0f} %")
    table.add_row("Python's heap", f"{about['heap']['bytes']:,}", f">= {about['heap']['least']:,}", "")
    console.print(f"{about['variant']}  build {about['build']}  commit {about['commit']}", highlight=False)
    console.print(table)
    console.print(f"image  {image.uf2}\n", soft_wrap=True, highlight=False)
