"""`cisterna image`: builds the flashable images, signs them, and says what an image file is."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from cisterna.image.product import Image

app = typer.Typer(
    no_args_is_help=True, help="Build the flashable image of the real board, sign one, or say what one is."
)
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


@app.command(
    epilog="Example:  cisterna image sign --variant therapy --key authority.pem --out pump.image   "
    "Exit status: 0 signed, 2 no such image or key, or an image of uncommitted firmware."
)
def sign(
    key: Annotated[str, typer.Option(help="The authority's private key: a PEM file, pkcs11:..., or bench:authority.")],
    file: Annotated[Path | None, typer.Argument(help="The image; else the one of `make image`.")] = None,
    variant: Annotated[str, typer.Option(help="Which one of `make image`: therapy or development.")] = "therapy",
    out: Annotated[Path | None, typer.Option(help="Where to; else beside the image, as .image.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
    dirty: Annotated[bool, typer.Option("--dirty", help="Sign one of uncommitted firmware, too: for a bench.")] = False,
    passphrase_file: Annotated[Path | None, typer.Option(help="Holds the passphrase or PIN; else it is asked.")] = None,
    module: Annotated[
        str | None, typer.Option(help="The token's PKCS#11 library; else CISTERNA_PKCS11_MODULE.")
    ] = None,
) -> None:
    """Sign an image as the authority of pumps: only such an image is let in over their link."""
    from cisterna.cli import errors_as_lines

    with errors_as_lines():
        from cisterna.image import sign as signing
        from cisterna.pharmacy import files, passphrase, signers

        uf2 = file or _made(variant)
        path = out or uf2.with_suffix(".image")
        if not dirty:
            signing.check_committed(uf2)
        files.check_new(path, replace=force)
        with signers.opened(key, passphrase.source(passphrase_file), module) as signer:
            signed = signing.sign(uf2, signer)
        files.write(path, signed.model_dump(), replace=force)
        manifest = signing.manifest(signed)
        print(f"{path}: build {manifest['build']}, {manifest['variant']}, signed")


@app.command(
    epilog="Example:  cisterna image verify pump.uf2 pump.image --authority authority.pub.pem   "
    "Exit status: 0 signed by this authority, 2 not."
)
def verify(
    file: Annotated[Path, typer.Argument(help="An image, a UF2 file.")],
    signature: Annotated[Path, typer.Argument(help="Its signed manifest, a file of `image sign`.")],
    authority: Annotated[str, typer.Option(help="The authority's public key, a PEM file, or bench:authority.")],
) -> None:
    """Check that an image file is the one that an authority signed."""
    from cisterna.cli import errors_as_lines

    with errors_as_lines():
        from cisterna.image import sign as signing
        from cisterna.pharmacy import keys, signers

        signed = signing.read(signature)
        signing.check_file(file, signed)
        modulus_hex = signers.public(authority)
        signing.check_signature(signed, modulus_hex)
        manifest = signing.manifest(signed)
        print(
            f"{file}: build {manifest['build']}, commit {manifest['commit']}, {manifest['variant']}, "
            f"signed by authority {keys.fingerprint(modulus_hex)}"
        )


def _made(variant: str) -> Path:
    """Where `make image` leaves a variant."""
    from cisterna.errors import CisternaError
    from cisterna.image.places import VARIANTS, of_checkout

    if variant not in VARIANTS:
        raise CisternaError(f'--variant held "{variant}"; allowed: {", ".join(VARIANTS)}')
    return of_checkout().product(variant, "uf2")


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
