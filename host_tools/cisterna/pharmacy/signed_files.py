"""Files of signed documents: written whole or not at all, replaced only on request."""

import contextlib
import json
import os
import secrets
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from cisterna.errors import DocumentError, OutputError
from cisterna.pharmacy import keys
from cisterna.strict_model import Model, StrictModel, validate

SignatureHex = Annotated[str, Field(pattern=r"^[0-9a-f]{768}$")]
Document = Annotated[str, Field(pattern=r"^[\n -~]+$")]  # printable ASCII, in lines

Kind = Literal["people", "library", "image"]


class SignedFile(StrictModel):
    """`X.people`, `X.library`, `X.image`: a document and the authority's signature."""

    kind: Kind
    document: Document
    signature: SignatureHex

    def check(self, authority: str) -> None:
        """Raise DocumentError unless the authority with this modulus (768 hex digits) signed the document."""
        if not keys.is_signature(self.document.encode("ascii"), bytes.fromhex(self.signature), authority):
            raise DocumentError(
                f"{self.kind}: not signed by the authority {keys.fingerprint(authority)}, or changed since; "
                "allowed: the document exactly as the authority signed it"
            )


def signed(kind: Kind, document: str, authority: keys.Signer) -> SignedFile:
    """The document, signed by the authority."""
    return SignedFile(kind=kind, document=document, signature=authority.sign(document.encode("ascii")).hex())


def read_signed(path: Path, kind: Kind) -> SignedFile:
    """The signed document of this kind in a file. Raises DocumentError; the signature is not checked."""
    file = read(SignedFile, path)
    if file.kind != kind:
        raise DocumentError(f"{path}: kind held {file.kind}; allowed: {kind}")
    return file


def read(model: type[Model], path: Path) -> Model:
    """Read a JSON file as the model. Raises DocumentError."""
    try:
        raw = json.loads(path.read_bytes().decode("utf-8"))
    except OSError as error:
        raise DocumentError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise DocumentError(f"{path}: not JSON: {error}") from None
    except RecursionError:
        raise DocumentError(f"{path}: nested too deep; allowed: a file of `cisterna`") from None
    return validate(model, raw, str(path))


def write(path: Path, content: dict[str, Any], *, replace: bool) -> None:
    """Write the content as JSON. Raises OutputError."""
    text = json.dumps(content, indent=1) + "\n"
    write_bytes(path, text.encode("ascii"), replace=replace)


def check_new(path: Path, *, replace: bool = False) -> None:
    """Raise OutputError if `path` cannot be written. Call it before asking for a passphrase."""
    if not replace and path.exists():
        raise OutputError(f"{path}: is there already, and stays as it is; allowed: a new file")
    if path.is_dir() or not path.parent.is_dir():
        raise OutputError(f"{path}: cannot be written; allowed: a file in a folder that exists")


def write_bytes(path: Path, data: bytes, *, replace: bool, mode: int = 0o644) -> None:
    """Write `data` as `write_parts` does. Raises OutputError."""
    write_parts(path, [data], replace=replace, mode=mode)


def write_parts(path: Path, parts: Iterable[bytes], *, replace: bool, mode: int = 0o644) -> None:
    """Write the parts so that a reader never finds only some of them; a new file is empty until all are written.

    replace  write over an existing file, which keeps its mode and its place behind a symbolic link; a pipe or device is
             written to. Without it an existing file is an OutputError.
    mode     of a new file
    Raises OutputError.
    """
    if replace and path.exists() and not path.is_file():
        _write_into(path, parts)
        return
    if replace and path.exists():
        path = path.resolve()
        mode = stat.S_IMODE(path.stat().st_mode)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        if not replace:  # an empty file reserves the name until the whole one replaces it
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode))
        try:
            with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
                file.writelines(parts)
                file.flush()
                os.fsync(file.fileno())
            os.replace(draft, path)
        except BaseException:  # includes Ctrl-C
            with contextlib.suppress(OSError):
                draft.unlink(missing_ok=True)
                if not replace:
                    path.unlink()
            raise
    except FileExistsError:
        raise OutputError(f"{path}: is there already, and stays as it is; allowed: a new file") from None
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror}") from None


def _write_into(path: Path, parts: Iterable[bytes]) -> None:
    try:
        with path.open("wb") as file:
            file.writelines(parts)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror}") from None
