"""No secret is in an image, nor on a provisioned and used pump."""

import base64
from pathlib import Path

import pytest
from cisterna.pharmacy import keys, provision
from support.chip import secret_scan

pytestmark = pytest.mark.target

BENCH = keys.bench_keys()


def flash_of(uf2: Path) -> bytes:
    """What the image puts into the flash: 256 bytes of each block of 512."""
    blocks = uf2.read_bytes()
    return b"".join(blocks[start + 32 : start + 288] for start in range(0, len(blocks), 512))


@pytest.mark.parametrize("variant", ["therapy", "development"])
def test_no_secret_is_in_the_image(variant, request):
    """SEC-06: neither a key, nor anything that looks like one."""
    image = flash_of(request.getfixturevalue(variant))
    assert len(image) > 200_000
    assert secret_scan.found(image, BENCH) == []


def test_a_provisioned_pump_holds_public_keys_only():
    """SEC-06: block, people and library, as they lie in FRAM and flash."""
    block = provision.block("CB-0001", BENCH.authority.modulus_hex, bench=True)
    vault = provision.vault_image(BENCH, provision.bench_people_text(BENCH), provision.bench_library_text())
    seen = [what for what in secret_scan.found(block + vault, BENCH) if not what.startswith(("hex digits", "base64"))]
    assert seen == []
    digits = secret_scan.LONG_HEX.findall(block + vault)  # they look like base64, too
    public = [getattr(BENCH, name).modulus_hex.encode() for name in secret_scan.NAMES]
    assert sorted(digits) == sorted(public)


@pytest.mark.parametrize("part", secret_scan.PARTS)
def test_a_secret_hidden_in_an_image_is_found(therapy, part):
    """The search itself: a part of a key, in any usual way to write it, put into the middle of an image."""
    image = flash_of(therapy)
    number = secret_scan.numbers(BENCH)[f"clinician.{part}"]
    secret, middle = number.to_bytes((number.bit_length() + 7) // 8, "big"), len(image) // 2
    for written in (secret, secret[::-1], secret.hex().encode(), base64.b64encode(secret)):
        assert f"clinician.{part}" in secret_scan.found(image[:middle] + written + image[middle:], BENCH)


def test_a_key_file_in_an_image_is_found(therapy):
    image = flash_of(therapy) + BENCH.service.pem("a passphrase of its own")
    assert "PRIVATE KEY" in secret_scan.found(image, BENCH)
