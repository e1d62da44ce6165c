"""Signed things as files on the host: written whole or not at all, and never over another one unasked."""

import contextlib
import json
import os
import secrets
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from cisterna.errors import OutputError
from cisterna.pharmacy import keys
from cisterna.pharmacy.documents import DocumentError
from cisterna.pharmacy.models import Model, Strict, judged

SignatureHex = Annotated[str, Field(pattern=r"^[0-9a-f]{768}$")]
Document = Annotated[str, Field(pattern=r"^[\n -~]+$")]  # printable ASCII, in lines

Kind = Literal["people", "library", "image"]


class SignedFile(Strict):
    """`X.people`, `X.library`, `X.image`: a document and the authority's signature of it."""

    kind: Kind
    document: Document
    signature: SignatureHex

    def check(self, authority: str) -> None:
        """Returns if the authority with this modulus (768 hex digits) signed the document; else DocumentError."""
        if not keys.is_signature(self.document.encode("ascii"), bytes.fromhex(self.signature), authority):
            raise DocumentError(
                f"{self.kind}: not signed by the authority {keys.fingerprint(authority)}, or changed since; "
                "allowed: the document exactly as the authority signed it"
            )


def signed(kind: Kind, document: str, authority: keys.Signer) -> SignedFile:
    """The document, signed."""
    return SignedFile(kind=kind, document=document, signature=authority.sign(document.encode("ascii")).hex())


def read_signed(path: Path, kind: Kind) -> SignedFile:
    """The signed document of this kind in the file; its signature is not checked. Raises DocumentError."""
    file = read(SignedFile, path)
    if file.kind != kind:
        raise DocumentError(f"{path}: kind held {file.kind}; allowed: {kind}")
    return file


def read(model: type[Model], path: Path) -> Model:
    """The JSON file as the model. Raises DocumentError."""
    try:
        raw = json.loads(path.read_bytes().decode("utf-8"))
    except OSError as error:
        raise DocumentError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise DocumentError(f"{path}: not JSON: {error}") from None
    except RecursionError:
        raise DocumentError(f"{path}: nested too deep; allowed: a file of `cisterna`") from None
    return judged(model, raw, str(path))


def write(path: Path, content: dict[str, Any], *, replace: bool) -> None:
    """The content as JSON. Raises OutputError."""
    text = json.dumps(content, indent=1) + "\n"
    write_bytes(path, text.encode("ascii"), replace=replace)


def check_new(path: Path, *, replace: bool = False) -> None:
    """Returns if nothing is in the way of writing there: nobody is asked for a passphrase in vain. Else OutputError."""
    if not replace and path.exists():
        raise OutputError(f"{path}: is there already, and stays as it is; allowed: a new file")
    if path.is_dir() or not path.parent.is_dir():
        raise OutputError(f"{path}: cannot be written; allowed: a file in a folder that exists")


def write_bytes(path: Path, data: bytes, *, replace: bool, mode: int = 0o644) -> None:
    """As `write_parts`, in one."""
    write_parts(path, [data], replace=replace, mode=mode)


def write_parts(path: Path, parts: Iterable[bytes], *, replace: bool, mode: int = 0o644) -> None:
    """Whoever reads the file finds all of the bytes. Not `replace`: what is there already stays, and OutputError.

    mode: of a new file. One that is replaced keeps its own, and lies where it lay, also behind a link. What is no
    file, as a pipe, is written to.
    """
    if replace and path.exists() and not path.is_file():
        _write_into(path, parts)
        return
    if replace and path.exists():
        path = path.resolve()
        mode = stat.S_IMODE(path.stat().st_mode)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        if not replace:  # an empty file keeps the name until the whole one takes its place
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode))
        try:
            with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
                file.writelines(parts)
                file.flush()
                os.fsync(file.fileno())
            os.replace(draft, path)
        except BaseException:  # Ctrl-C, too
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
