"""`cisterna image`: build the flashable images, sign and verify them, show what an image file is."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cisterna.console import errors_as_lines, stdout_console, step_line
from cisterna.errors import CisternaError

if TYPE_CHECKING:
    from rich.console import Console

    from cisterna.image.product import Image

app = typer.Typer(no_args_is_help=True, help="Build, sign, verify and show the flashable images of the real board.")


@app.command(
    epilog="Example:  cisterna image build --variant therapy   "
    "Exit status: 0 built, 1 a build step failed, 2 a tool or source is missing."
)
def build(
    variant: Annotated[str, typer.Option(help="therapy, development, or both.")] = "both",
    twice: Annotated[
        bool, typer.Option("--twice", help="Build twice and check that both give the same bytes.")
    ] = False,
) -> None:
    """Build the images into build/image, if their sources have changed."""
    with errors_as_lines():
        from cisterna.image import build as builder
        from cisterna.image.places import VARIANTS, of_checkout

        if variant not in (*VARIANTS, "both"):
            raise CisternaError(f'--variant held "{variant}"; allowed: {", ".join(VARIANTS)}, both')
        variants = VARIANTS if variant == "both" else (variant,)
        places = of_checkout()
        with step_line() as say:
            if twice:
                builder.build_twice(places, variants, say)
            images = builder.build(places, variants, say)
        console = stdout_console()
        for image in images:
            _print(image, console)
        if twice:
            print("two builds in two other folders gave the same bytes")


@app.command(
    epilog="Example:  cisterna image show build/image/cisterna-therapy.uf2   Exit status: 0 shown, 2 no such image."
)
def show(file: Annotated[Path, typer.Argument(help="The image, a UF2 file.")]) -> None:
    """Show build, commit and variant of an image file."""
    with errors_as_lines():
        from cisterna.image import product

        print(product.read(file))


@app.command(
    epilog="Example:  cisterna image sign --variant therapy --key authority.pem --out pump.image   "
    "Exit status: 0 signed, 2 no such image or key, or an image of uncommitted firmware."
)
def sign(
    key: Annotated[str, typer.Option(help="The authority's private key: a PEM file, pkcs11:..., or bench:authority.")],
    file: Annotated[
        Path | None, typer.Argument(help="The image, a .uf2 file; if left out, that of `make image`.")
    ] = None,
    variant: Annotated[str, typer.Option(help="Which image of `make image`: therapy or development.")] = "therapy",
    out: Annotated[
        Path | None, typer.Option(help="The file to write; if left out, the .image file beside the image.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
    dirty: Annotated[
        bool, typer.Option("--dirty", help="Also sign an image of uncommitted firmware, for a bench.")
    ] = False,
    passphrase_file: Annotated[
        Path | None, typer.Option(help="Read the passphrase or PIN from this file; else ask.")
    ] = None,
    module: Annotated[
        str | None, typer.Option(help="The token's PKCS#11 library; if left out, CISTERNA_PKCS11_MODULE.")
    ] = None,
) -> None:
    """Sign an image as the authority. Pumps accept only signed images over their link."""
    with errors_as_lines():
        from cisterna.flash import uf2 as reader
        from cisterna.image import image_files
        from cisterna.pharmacy import passphrase, signed_files, signers

        uf2 = file or _image_path(variant)
        path = out or uf2.with_suffix(".image")
        reader.read_for_pump(uf2)
        if not dirty:
            image_files.check_committed(uf2)
        signed_files.check_new(path, replace=force)
        with signers.opened(key, passphrase.source(passphrase_file), module) as signer:
            signed = image_files.sign(uf2, signer)
        signed_files.write(path, signed.model_dump(), replace=force)
        manifest = image_files.manifest(signed)
        print(f"{path}: build {manifest['build']}, {manifest['variant']}, signed")


@app.command(
    epilog="Example:  cisterna image verify pump.uf2 pump.image --authority authority.pub.pem   "
    "Exit status: 0 signed by this authority, 2 not."
)
def verify(
    file: Annotated[Path, typer.Argument(help="The image, a UF2 file.")],
    signature: Annotated[Path, typer.Argument(help="The signed manifest, a file of `image sign`.")],
    authority: Annotated[str, typer.Option(help="The authority's public key, a PEM file, or bench:authority.")],
) -> None:
    """Check that the authority has signed this image."""
    with errors_as_lines():
        from cisterna.flash import uf2
        from cisterna.image import image_files
        from cisterna.pharmacy import keys, signers

        uf2.read_for_pump(file)
        signed = image_files.read(signature)
        image_files.check_file(file, signed)
        modulus_hex = signers.public_modulus(authority)
        image_files.check_signature(signed, modulus_hex)
        manifest = image_files.manifest(signed)
        print(
            f"{file}: build {manifest['build']}, commit {manifest['commit']}, {manifest['variant']}, "
            f"signed by authority {keys.fingerprint(modulus_hex)}"
        )


def _image_path(variant: str) -> Path:
    """Path of a variant's UF2 file as `make image` writes it."""
    from cisterna.image.places import VARIANTS, of_checkout

    if variant not in VARIANTS:
        raise CisternaError(f'--variant held "{variant}"; allowed: {", ".join(VARIANTS)}')
    return of_checkout().product(variant, "uf2")


def _print(image: "Image", console: "Console") -> None:
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
