"""Signs with a private key on a token or smart card, by PKCS#11. The key never leaves the token.

A URI of RFC 7512 names the key: `pkcs11:token=Clinic;object=rossi`.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, unquote_to_bytes

from cisterna.errors import CisternaError
from cisterna.pharmacy import keys
from cisterna.pharmacy.passphrase import Secret

MODULE_VARIABLE = "CISTERNA_PKCS11_MODULE"

_SCHEME = "pkcs11:"
_KNOWN = ("token", "serial", "object", "id", "type")
_MESSAGES = {  # by the class name of python-pkcs11's error
    "PinIncorrect": "the PIN is wrong; most tokens lock themselves after a few wrong ones",
    "PinLocked": "the PIN is locked after too many wrong ones; unlock it with the token's own tool",
    "PinExpired": "the PIN has expired; set a new one with the token's own tool",
    "PinInvalid": "the PIN has a character that the token does not take",
    "PinLenRange": "the PIN is too short or too long for this token",
    "UserPinNotInitialized": "the token has no PIN yet; set one with the token's own tool",
    "NoSuchToken": "there is no such token; is it plugged in?",
    "TokenNotPresent": "the token is gone",
    "DeviceRemoved": "the token is gone",
    "MultipleTokensReturned": "several tokens are called so; add serial=... to the URI",
    "MechanismInvalid": "the token cannot sign by RSA PKCS#1 v1.5 with SHA-256",
}


class TokenError(CisternaError):
    """The token, its key or the PIN is missing or wrong."""


class TokenFailed(TokenError):
    """The token or its library failed."""

    exit_status = 70


@dataclass(frozen=True)
class KeyUri:
    """The parts of a key's URI. None: not stated."""

    uri: str
    token: str | None = None
    serial: bytes | None = None
    object: str | None = None
    id: bytes | None = None
    module: str | None = None


class TokenKey:
    """A private key in an open session with a token; a `keys.Signer`."""

    def __init__(self, key: Any, uri: str):
        self._key = key
        self._uri = uri
        with _translated_errors(uri):
            self.modulus_hex = _modulus_hex(key, uri)

    def __repr__(self) -> str:
        return f"<key {self._uri}>"

    def sign(self, data: bytes) -> bytes:
        from pkcs11 import Mechanism

        with _translated_errors(self._uri):
            signature = self._key.sign(data, mechanism=Mechanism.SHA256_RSA_PKCS)
        if not keys.is_signature(data, signature, self.modulus_hex):
            raise TokenFailed(f"{self._uri}: the token's signature does not fit its own public key")
        return signature


def parse_uri(uri: str) -> KeyUri:
    """Parse a URI of RFC 7512. Raises TokenError for any part that is unknown, so that no other key is found."""
    path, _, query = uri.removeprefix(_SCHEME).partition("?")
    stated = _pairs(uri, path, ";")
    query_values = _pairs(uri, query, "&")
    if "pin-value" in query_values:
        raise TokenError("pkcs11 URI: pin-value shows the PIN to everybody; use --passphrase-file")
    for key in [*stated, *query_values]:
        if key not in _KNOWN and key != "module-path":
            raise TokenError(f"{uri}: unknown {key}; allowed: {', '.join(_KNOWN)}, and ?module-path=")
    if stated.get("type", "private") != "private":
        raise TokenError(f"{uri}: type held {stated['type']}; allowed: private")
    if not {"token", "serial"} & stated.keys() or not {"object", "id"} & stated.keys():
        raise TokenError(f"{uri}: names no key; allowed: pkcs11:token=TOKEN;object=KEY (or serial=..., id=...)")
    return KeyUri(
        uri,
        token=_text(stated.get("token")),
        serial=_bytes(stated.get("serial")),
        object=_text(stated.get("object")),
        id=_bytes(stated.get("id")),
        module=_text(query_values.get("module-path")),
    )


@contextlib.contextmanager
def opened(uri: str, secret: Secret, module: str | None = None) -> Iterator[TokenKey]:
    """The key that `uri` names, while the block runs.

    secret  returns the PIN; not called if the token has its own keypad
    module  path of the token's PKCS#11 library; None: `?module-path=` of the URI
    Raises TokenError.
    """
    key_uri = parse_uri(uri)
    token = _token(key_uri, module)
    from pkcs11 import PROTECTED_AUTH, ObjectClass, TokenFlag

    has_keypad = TokenFlag.PROTECTED_AUTHENTICATION_PATH in token.flags
    pin = PROTECTED_AUTH if has_keypad else secret(f"PIN of the token {token.label}")
    with _translated_errors(uri):
        session = token.open(user_pin=pin)
    with contextlib.closing(session):
        with _translated_errors(uri):
            key = _key(session, key_uri, ObjectClass.PRIVATE_KEY)
        yield TokenKey(key, uri)


def modulus_hex(uri: str, module: str | None = None) -> str:
    """The modulus (768 hex digits) of the public key beside the private one. Needs no PIN. Raises TokenError."""
    key_uri = parse_uri(uri)
    token = _token(key_uri, module)
    from pkcs11 import ObjectClass

    with _translated_errors(uri), contextlib.closing(token.open()) as session:
        return _modulus_hex(_key(session, key_uri, ObjectClass.PUBLIC_KEY), uri)


def _token(key_uri: KeyUri, module: str | None) -> Any:
    path = module or key_uri.module
    if not path:
        raise TokenError(
            f"{key_uri.uri}: which PKCS#11 library? Use --module or {MODULE_VARIABLE}, "
            "as /usr/lib/x86_64-linux-gnu/opensc-pkcs11.so"
        )
    try:
        import pkcs11
    except ImportError:
        raise TokenError(
            "tokens need the extra `token`: pip install 'cisterna[token]' (where there is no wheel of "
            "python-pkcs11 for this platform, it is compiled and needs a C compiler)"
        ) from None
    try:
        library = pkcs11.lib(path)
    except (pkcs11.PKCS11Error, RuntimeError) as error:
        raise TokenError(f"PKCS#11 library {path}: cannot be loaded: {error or type(error).__name__}") from None
    with _translated_errors(key_uri.uri):
        return library.get_token(token_label=key_uri.token, token_serial=key_uri.serial)


def _key(session: Any, key_uri: KeyUri, object_class: Any) -> Any:
    from pkcs11 import Attribute, KeyType

    wanted = {Attribute.LABEL: key_uri.object, Attribute.ID: key_uri.id}
    wanted = {attribute: value for attribute, value in wanted.items() if value is not None}
    # The whole search is read: closing the session during a search is an error.
    found = list(session.get_objects({Attribute.CLASS: object_class, Attribute.KEY_TYPE: KeyType.RSA, **wanted}))
    if len(found) != 1:
        raise TokenError(
            f"{key_uri.uri}: several keys are called so; add id=... to the URI"
            if found
            else f"{key_uri.uri}: the token holds no RSA key that is called so"
        )
    return found[0]


def _modulus_hex(key: Any, uri: str) -> str:
    from pkcs11 import Attribute

    modulus = int.from_bytes(key[Attribute.MODULUS], "big")
    exponent = int.from_bytes(_exponent(key), "big")
    if modulus.bit_length() != keys.BITS or exponent != keys.EXPONENT:
        held = f"RSA-{modulus.bit_length()}, exponent {exponent}"
        raise TokenError(f"{uri}: held {held}; allowed: RSA-{keys.BITS} with exponent {keys.EXPONENT}")
    return f"{modulus:x}"


def _exponent(key: Any) -> bytes:
    """The public exponent; EXPONENT for a private key that does not state it (PKCS#11, 2.1.3).

    A wrong assumption shows when `TokenKey.sign` checks the signature.
    """
    from pkcs11 import Attribute, AttributeTypeInvalid

    try:
        return key[Attribute.PUBLIC_EXPONENT]
    except AttributeTypeInvalid:
        return keys.EXPONENT.to_bytes(3, "big")


@contextlib.contextmanager
def _translated_errors(uri: str) -> Iterator[None]:
    """Translate errors of the library: those in _MESSAGES (a person can solve them) to TokenError, else TokenFailed."""
    from pkcs11 import PKCS11Error

    try:
        yield
    except PKCS11Error as error:
        name = type(error).__name__
        if name in _MESSAGES:
            raise TokenError(f"{uri}: {_MESSAGES[name]}") from None
        raise TokenFailed(f"{uri}: the token reported {name} {error}".rstrip()) from None


def _pairs(uri: str, text: str, separator: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for part in filter(None, text.split(separator)):
        key, equals, value = part.partition("=")
        if not equals or key in pairs:
            raise TokenError(f"{uri}: cannot read {part!r}; allowed: each of {', '.join(_KNOWN)} once, as key=value")
        pairs[key] = value
    return pairs


def _text(value: str | None) -> str | None:
    return None if value is None else unquote(value)


def _bytes(value: str | None) -> bytes | None:
    return None if value is None else unquote_to_bytes(value)
