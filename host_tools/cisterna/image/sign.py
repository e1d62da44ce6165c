"""The authority's signature of an image: a file beside the UF2 that a pump, and whoever flashes one, can check.

X.image is a JSON object: kind "image"; document, the manifest as text; signature over that text.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cisterna.errors import CisternaError
from cisterna.image import product
from cisterna.pharmacy import documents, files, keys
from cisterna.pharmacy.documents import DocumentError
from cisterna.pharmacy.files import SignedFile

if TYPE_CHECKING:
    from cisterna.pharmacy.keys import Signer

KIND = "image"
KEYS = ("type", "version", "build", "commit", "variant", "uf2_sha256")
DIRTY = "-dirty"


class SignatureWrong(CisternaError):
    """An image whose signature does not hold: nobody vouches for it."""


def facts(uf2: Path) -> dict[str, str]:
    """build, commit, variant, as the image says of itself, and uf2_sha256. CisternaError if it is no image."""
    said = dict(word.split("=", 1) for word in product.read(uf2).split()[1:])
    return {**said, "uf2_sha256": hashlib.sha256(uf2.read_bytes()).hexdigest()}


def check_committed(uf2: Path) -> None:
    """Returns if the image is of firmware as it was committed, so that it can be made again. Else CisternaError."""
    commit = facts(uf2)["commit"]
    if commit.endswith(DIRTY):
        raise CisternaError(
            f"{uf2}: commit held {commit}: its firmware had changes that are in no commit; allowed: an image of "
            "committed firmware, or --dirty"
        )


def sign(uf2: Path, signer: Signer) -> SignedFile:
    """Signs what `uf2` is."""
    return files.signed(KIND, documents.image_manifest(**facts(uf2)), signer)


def read(path: Path) -> SignedFile:
    """The signed manifest in a file, its form checked, its signature not. DocumentError."""
    signed = files.read_signed(path, KIND)
    try:
        held = manifest(signed)
    except (ValueError, RecursionError):
        held = None
    if not isinstance(held, dict) or tuple(held) != KEYS or held["type"] != KIND:
        raise DocumentError(f"{path}: document held no manifest of an image; allowed: a file of `cisterna image sign`")
    return signed


def manifest(signed: SignedFile) -> dict[str, Any]:
    """What was signed: KEYS."""
    return json.loads(signed.document)


def check_file(uf2: Path, signed: SignedFile) -> None:
    """Returns if the manifest is of exactly this file. SignatureWrong with what differs."""
    check_facts(uf2, facts(uf2), signed)


def check_facts(uf2: Path, said: dict[str, str], signed: SignedFile) -> None:
    """The same for the `facts` of a file that was read before: it is not looked at again."""
    stated = manifest(signed)
    for key, held in said.items():
        if stated.get(key) != held:
            raise SignatureWrong(
                f"{uf2}: {key} is {held}, but {stated.get(key)} was signed; sign this file, or take that"
            )


def check_signature(signed: SignedFile, modulus_hex: str) -> None:
    """Returns if the key of this modulus (768 hex digits) has signed the manifest. SignatureWrong otherwise."""
    try:
        signed.check(modulus_hex)
    except DocumentError:
        raise SignatureWrong(
            f"the signature of image {manifest(signed)['build']} is not by authority {keys.fingerprint(modulus_hex)}; "
            "allowed: an image that the authority of the pump has signed (`cisterna image sign`)"
        ) from None
