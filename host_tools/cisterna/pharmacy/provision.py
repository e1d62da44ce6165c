"""Builds a pump's provisioning block in the FRAM, and the bench's people document and library.

Layout of the block: length of the text and its CRC-32 (u32, little endian), then the text, one flat JSON object.
"""

import json
import struct
from functools import cache
from zlib import crc32

from cisterna.paths import use_firmware
from cisterna.pharmacy import documents, source_files
from cisterna.pharmacy.keys import PEOPLE, ClinicKeys

FRAM_ADDRESS = 0x7800
BENCH_NUMBER = 1  # of the people document and of the library on a simulated pump
BENCH_CLINIC = "Bench"


def block_text(serial: str, authority_modulus: str, *, bench: bool) -> str:
    """The text of the block. serial: 1 to 20 characters. authority_modulus: 768 hex digits."""
    stated = {"serial": serial, "bench": bench, "authority": authority_modulus}
    return json.dumps(stated, separators=(",", ":"))


def block(serial: str, authority_modulus: str, *, bench: bool) -> bytes:
    """The bytes for FRAM_ADDRESS."""
    text = block_text(serial, authority_modulus, bench=bench).encode("ascii")
    return struct.pack("<II", len(text), crc32(text)) + text


def fram_image(serial: str, authority_modulus: str, *, bench: bool) -> dict[str, str]:
    """The block as the `fram_image` of a target's configuration: address in decimal -> bytes in hex."""
    return {str(FRAM_ADDRESS): block(serial, authority_modulus, bench=bench).hex()}


def bench_people_text(keys: ClinicKeys) -> str:
    """The people document of the bench: one person for each role, named after the role."""
    persons = [{"name": name, "roles": [name], "key": getattr(keys, name).modulus_hex} for name in PEOPLE]
    return documents.people(number=BENCH_NUMBER, clinic=BENCH_CLINIC, persons=persons)


@cache
def bench_library_text() -> str:
    """The library document of the bench, from `bench_library.toml`."""
    drugs = source_files.library(source_files.BENCH_LIBRARY)
    return documents.library(number=BENCH_NUMBER, title="Bench defaults", drugs=drugs)


def vault_image(keys: ClinicKeys, people_text: str, library_text: str, number: int = BENCH_NUMBER) -> bytes:
    """The first bytes of a pump's vault: both documents, signed by the authority of `keys`."""
    use_firmware()
    from pump.storage import vault

    signed = [(number, text, keys.authority.sign(text)) for text in (people_text.encode(), library_text.encode())]
    return vault.image(*signed)


def bench_target_config(serial: str, keys: ClinicKeys) -> dict[str, object]:
    """The part of a target's configuration that provisions a simulated pump and loads its people and library."""
    vault = vault_image(keys, bench_people_text(keys), bench_library_text())
    return {
        "fram_image": fram_image(serial, keys.authority.modulus_hex, bench=True),
        "vault_image": vault.hex(),
    }
