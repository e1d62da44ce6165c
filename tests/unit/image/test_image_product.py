"""The built image: size budgets, and the identity read from its file."""

import pytest
from cisterna.cli import app
from cisterna.errors import CisternaError
from cisterna.image import product, sizes
from typer.testing import CliRunner

FLASH = 768 * 1024
GOOD = sizes.Sizes({".boot2": 256, ".text": 1000, ".bss": 1000}, flash=300_000, heap=240_000)


def uf2(image: bytes) -> bytes:
    """Blocks of 512 bytes with 256 of the image in each, as a UF2 has them."""
    parts = [image[start : start + 256].ljust(256, b"\0") for start in range(0, len(image), 256)]
    return b"".join(b"\x55" * 32 + part + b"\x55" * 224 for part in parts)


def test_sizes_within_their_budgets():
    sizes.check(GOOD, "therapy", FLASH)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (sizes.Sizes({".text": 300_000}, 300_000, 240_000), r"therapy: \.text has 300000 bytes; allowed: 262144"),
        (sizes.Sizes({".surprise": 1}, 300_000, 240_000), r"therapy: \.surprise has 1 bytes; allowed: 0"),
        (sizes.Sizes({}, FLASH + 1, 240_000), "the image has 786433 bytes; allowed: 786432"),
        (sizes.Sizes({}, 300_000, 100_000), "heap has 100000 bytes; allowed: 212992 or more"),
    ],
)
def test_a_size_over_its_budget(changed, said):
    with pytest.raises(sizes.TooLarge, match=said):
        sizes.check(changed, "therapy", FLASH)


@pytest.mark.parametrize("before", [0, 250, 256])
def test_an_image_says_what_it_is(tmp_path, before):
    """Also when the text runs from one block into the next."""
    file = tmp_path / "image.uf2"
    file.write_bytes(uf2(b"x" * before + b"cisterna build=0123 commit=abc variant=therapy\0more"))
    assert product.read(file) == "cisterna build=0123 commit=abc variant=therapy"
    result = CliRunner().invoke(app, ["image", "show", str(file)])
    assert result.exit_code == 0 and result.stdout == "cisterna build=0123 commit=abc variant=therapy\n"


def test_a_file_that_is_no_image(tmp_path):
    file = tmp_path / "other.uf2"
    with pytest.raises(CisternaError, match="there is no"):
        product.read(file)
    file.write_bytes(uf2(b"something else"))
    with pytest.raises(CisternaError, match="does not say that it is an image of this pump"):
        product.read(file)


def test_a_variant_that_is_none():
    result = CliRunner().invoke(app, ["image", "build", "--variant", "other"])
    assert result.exit_code == 2
    assert result.stderr == '--variant held "other"; allowed: therapy, development, both\n'
