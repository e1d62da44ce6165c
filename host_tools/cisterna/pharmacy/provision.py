"""What a pump is told before it ever sees a prescription: its block in the FRAM; for the bench also people and library.

Layout of the block: length of the text and its CRC-32 (u32, little endian), then the text, one flat JSON object.
"""

import json
import struct
from functools import cache
from zlib import crc32

from cisterna.paths import use_firmware
from cisterna.pharmacy import documents, sources
from cisterna.pharmacy.keys import PEOPLE, Keys

FRAM_ADDRESS = 0x7800
BENCH_NUMBER = 1  # of the people and of the library on a simulated pump
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
    """The same as a target's `fram_image`: the address in decimal, the bytes in hex."""
    return {str(FRAM_ADDRESS): block(serial, authority_modulus, bench=bench).hex()}


def bench_people_text(keys: Keys) -> str:
    """Who is who on the bench: a person for each role, called as it."""
    persons = [{"name": name, "roles": [name], "key": getattr(keys, name).modulus_hex} for name in PEOPLE]
    return documents.people(number=BENCH_NUMBER, clinic=BENCH_CLINIC, persons=persons)


@cache
def bench_library_text() -> str:
    """The drugs of the bench, those of `bench_library.toml`."""
    drugs = sources.library(sources.BENCH_LIBRARY)
    return documents.library(number=BENCH_NUMBER, title="Bench defaults", drugs=drugs)


def vault_image(keys: Keys, people_text: str, library_text: str, number: int = BENCH_NUMBER) -> bytes:
    """The first bytes of a pump's vault with both documents in it, signed by the authority of `keys`."""
    use_firmware()
    from pump import vault

    signed = [(number, text, keys.authority.sign(text)) for text in (people_text.encode(), library_text.encode())]
    return vault.image(*signed)


def bench_target_config(serial: str, keys: Keys) -> dict[str, object]:
    """The keys of a target's configuration with which a simulated pump starts provisioned, with people and library."""
    vault = vault_image(keys, bench_people_text(keys), bench_library_text())
    return {
        "fram_image": fram_image(serial, keys.authority.modulus_hex, bench=True),
        "vault_image": vault.hex(),
    }
