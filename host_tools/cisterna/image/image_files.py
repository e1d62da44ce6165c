"""`X.image`: the manifest of an image, signed by the authority, in a file beside the UF2.

A JSON object: kind "image"; document, the manifest as text; signature over that text.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cisterna.errors import CisternaError, DocumentError
from cisterna.image import product
from cisterna.pharmacy import documents, keys, signed_files
from cisterna.pharmacy.signed_files import SignedFile

if TYPE_CHECKING:
    from cisterna.pharmacy.keys import Signer

KIND = "image"
KEYS = ("type", "version", "build", "commit", "variant", "uf2_sha256")
DIRTY = "-dirty"


class SignatureWrong(CisternaError):
    """The signature is not the authority's, or the manifest is not of this image."""


def facts(uf2: Path) -> dict[str, str]:
    """build, commit and variant, read from the image, and uf2_sha256. Raises CisternaError if it is no image."""
    stated = dict(word.split("=", 1) for word in product.read(uf2).split()[1:])
    return {**stated, "uf2_sha256": hashlib.sha256(uf2.read_bytes()).hexdigest()}


def check_committed(uf2: Path) -> None:
    """Raise CisternaError if the image is of uncommitted firmware: such an image cannot be built again."""
    commit = facts(uf2)["commit"]
    if commit.endswith(DIRTY):
        raise CisternaError(
            f"{uf2}: commit held {commit}: its firmware had changes that are in no commit; allowed: an image of "
            "committed firmware, or --dirty"
        )


def sign(uf2: Path, signer: Signer) -> SignedFile:
    """The manifest of `uf2`, signed. Raises CisternaError if it is no image."""
    return signed_files.signed(KIND, documents.image_manifest(**facts(uf2)), signer)


def read(path: Path) -> SignedFile:
    """The signed manifest in a file. Raises DocumentError for a wrong form; the signature is not checked."""
    signed = signed_files.read_signed(path, KIND)
    try:
        contents = manifest(signed)
    except (ValueError, RecursionError):
        contents = None
    if not isinstance(contents, dict) or tuple(contents) != KEYS or contents["type"] != KIND:
        raise DocumentError(f"{path}: document held no manifest of an image; allowed: a file of `cisterna image sign`")
    return signed


def manifest(signed: SignedFile) -> dict[str, Any]:
    """The manifest as an object with KEYS."""
    return json.loads(signed.document)


def check_file(uf2: Path, signed: SignedFile) -> None:
    """Raise SignatureWrong, naming the difference, unless the manifest is of exactly this file."""
    check_facts(uf2, facts(uf2), signed)


def check_facts(uf2: Path, found: dict[str, str], signed: SignedFile) -> None:
    """The same, with the `facts` of a file that was read before; the file is not read again."""
    stated = manifest(signed)
    for key, held in found.items():
        if stated.get(key) != held:
            raise SignatureWrong(
                f"{uf2}: {key} is {held}, but {stated.get(key)} was signed; sign this file, or take that"
            )


def check_signature(signed: SignedFile, modulus_hex: str) -> None:
    """Raise SignatureWrong unless the key with this modulus (768 hex digits) signed the manifest."""
    try:
        signed.check(modulus_hex)
    except DocumentError:
        raise SignatureWrong(
            f"the signature of image {manifest(signed)['build']} is not by authority {keys.fingerprint(modulus_hex)}; "
            "allowed: an image that the authority of the pump has signed (`cisterna image sign`)"
        ) from None
