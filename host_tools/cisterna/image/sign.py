"""The authority's signature of an image: a file beside the UF2 that a pump, and whoever flashes one, can check.

X.image is a JSON object: kind "image"; document, the manifest as text; signature over that text.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cisterna.errors import CisternaError, OutputError
from cisterna.image import product

if TYPE_CHECKING:
    from cisterna.pharmacy.keys import Signer

KIND = "image"
KEYS = ("type", "version", "build", "commit", "variant", "uf2_sha256")


class SignatureWrong(CisternaError):
    """An image whose signature does not hold: nobody vouches for it."""


@dataclass(frozen=True)
class Signed:
    """A manifest and its signature. `text`: exactly what was signed."""

    text: str
    signature: str

    @property
    def manifest(self) -> dict[str, Any]:
        return json.loads(self.text)


def facts(uf2: Path) -> dict[str, str]:
    """build, commit, variant, as the image says of itself, and uf2_sha256. CisternaError if it is no image."""
    said = dict(word.split("=", 1) for word in product.read(uf2).split()[1:])
    return {**said, "uf2_sha256": hashlib.sha256(uf2.read_bytes()).hexdigest()}


def sign(uf2: Path, signer: Signer) -> Signed:
    """Signs what `uf2` is."""
    from cisterna.pharmacy import documents

    text = documents.image_manifest(**facts(uf2))
    return Signed(text, signer.sign(text.encode("ascii")).hex())


def write(signed: Signed, path: Path, force: bool) -> None:
    """Puts the signed manifest at `path`, whole or not at all. OutputError when it is there already, unless `force`."""
    if path.exists() and not force:
        raise OutputError(f"--out held {path}, which is there already; allowed: a new file, or --force")
    partial = path.with_name(path.name + ".part")
    try:
        partial.write_text(json.dumps({"kind": KIND, "document": signed.text, "signature": signed.signature}) + "\n")
        partial.replace(path)
    except OSError as error:
        raise OutputError(f"--out held {path}; it cannot be written ({error.strerror})") from None


def read(path: Path) -> Signed:
    """The signed manifest in a file, its form checked, its signature not. CisternaError."""
    try:
        held = json.loads(path.read_text(encoding="ascii"))
        signed = Signed(held["document"], held["signature"])
        manifest = signed.manifest
    except OSError as error:
        raise CisternaError(
            f"signature held {path}; it cannot be read ({error.strerror}); make it with `cisterna image sign`"
        ) from None
    except (ValueError, KeyError, TypeError, RecursionError):
        held, manifest = {}, None
    if not isinstance(held, dict) or held.get("kind") != KIND or not _is_manifest(manifest):
        raise CisternaError(
            f"signature held {path}, which is no signed image manifest; allowed: a file of `image sign`"
        )
    return signed


def _is_manifest(manifest: Any) -> bool:
    return isinstance(manifest, dict) and tuple(manifest) == KEYS and manifest["type"] == KIND


def check_file(uf2: Path, signed: Signed) -> None:
    """Returns if the manifest is of exactly this file. SignatureWrong with what differs."""
    check_facts(uf2, facts(uf2), signed)


def check_facts(uf2: Path, said: dict[str, str], signed: Signed) -> None:
    """The same for the `facts` of a file that was read before: it is not looked at again."""
    manifest = signed.manifest
    for key, held in said.items():
        if manifest.get(key) != held:
            raise SignatureWrong(
                f"{uf2}: {key} is {held}, but {manifest.get(key)} was signed; sign this file, or take that"
            )


def check_signature(signed: Signed, modulus_hex: str) -> None:
    """Returns if the key of this modulus (768 hex digits) has signed the manifest. SignatureWrong otherwise."""
    from cisterna.pharmacy import keys

    try:
        is_good = keys.is_signature(signed.text.encode("ascii"), bytes.fromhex(signed.signature), modulus_hex)
    except (ValueError, TypeError):
        is_good = False
    if not is_good:
        raise SignatureWrong(
            f"the signature of image {signed.manifest['build']} is not by authority {keys.fingerprint(modulus_hex)}; "
            "allowed: an image that the authority of the pump has signed (`cisterna image sign`)"
        )
