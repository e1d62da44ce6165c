"""What people do with a pump over its line, step by step. Nothing here prints or asks: a caller is told how far it is.

Whatever raises a dose ends at the pump: these procedures say what has to be done there, and wait until it was.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from cisterna.errors import CisternaError
from cisterna.link.pump import Pump
from cisterna.link.records import Chain
from cisterna.pharmacy import documents

CONFIRM_S = 170.0  # the pump forgets what is not confirmed after three minutes
LOOK_S = 0.5  # how often it is looked whether the key was held
BLOCK = 2_048  # bytes of a document in one line

Progress = Callable[[float], None]  # told the part that is done, 0 to 1
Tell = Callable[[str], None]  # told what is done, or what a person has to do now


class NotConfirmed(CisternaError):
    """Nobody held the key at the pump in time. What was loaded is forgotten by the pump and never came into force."""


class ReadBackWrong(CisternaError):
    """The pump holds something else than what was signed. Nobody must confirm it."""

    exit_status = 70


class NotThisPump(CisternaError):
    """The pump at the other end is not the one that was meant."""


@dataclass(frozen=True)
class Loaded:
    """A prescription that waits at the pump: its hash (8 digits), values as read back, soft limits that it passes."""

    hash8: str
    values: dict[str, Any]
    warnings: list[str]


# -- the log


def read_log(pump: Pump, progress: Progress | None = None) -> Chain:
    """All records that the pump has, checked. What is wrong with them is in `problems` of the chain."""
    total = max(1, pump.state()["next_seq"])
    chain: Chain | None = None
    for first, data in pump.records():
        chain = chain or Chain.beginning_at(first)
        chain.add(data)
        if progress:
            progress(min(1.0, chain.next_sequence / total))
    return chain or Chain()


# -- therapy: less, never more


def pause(pump: Pump) -> str:
    """Pause the therapy: START at the pump goes on with it. The state it is in then."""
    return pump.command("therapy.pause")["state"]


def stop(pump: Pump) -> str:
    """End the therapy: only a new prescription begins one. The state it is in then."""
    return pump.command("therapy.stop")["state"]


# -- a prescription


def load_prescription(pump: Pump, call: dict[str, Any]) -> Loaded:
    """Load a signed prescription (`call`: parameters of rx.load) and read it back, value by value.

    Somebody has to be logged on as clinician. PumpRefused, ReadBackWrong.
    """
    document = call["document"]
    hash8 = sha256(document.encode("ascii")).hexdigest()[:8]
    loaded = pump.command("rx.load", call)
    read = pump.readback()
    if not loaded["hash"] == read["hash"] == hash8:
        said = f"allowed: {hash8}, which was signed; press STOP at the pump"
        raise ReadBackWrong(f"rx.read: hash held {read['hash']}; {said}")
    expected = _read_back_of(document)
    held = read["values"]
    lines = [
        f"rx.read: {key} held {held.get(key)!r}; allowed: {expected.get(key)!r}, which was signed"
        for key in sorted(expected.keys() | held.keys())
        if expected.get(key) != held.get(key)
    ]
    if lines:
        raise ReadBackWrong("\n".join([*lines, "do not confirm it: press STOP at the pump"]))
    return Loaded(hash8, expected, read["warnings"])


def _read_back_of(document: str) -> dict[str, Any]:
    """What the pump has to read back: the values as signed; of the flow, what the basal gives."""
    values = json.loads(document)
    flow_nl_per_h = documents.flow_nl_per_h(values["basal_ug_per_day"], values["concentration_ug_per_ml"])
    return {**values, "flow_nl_per_h": flow_nl_per_h}


def wait_confirmed(pump: Pump, hash8: str, wait_s: float = CONFIRM_S) -> None:
    """Wait until START was held at the pump and the prescription is in force. NotConfirmed when it was not."""
    until_s = pump.transport.now_s() + wait_s
    while True:
        state = pump.state()
        if state["rx"] == hash8 and state["staged"] is None:
            return
        if state["staged"] != hash8:
            raise NotConfirmed(f"prescription {hash8}: no longer waits at the pump; load it again")
        if pump.transport.now_s() >= until_s:
            raise NotConfirmed(f"prescription {hash8}: START was not held within {wait_s:g} s; load it again")
        pump.transport.pause(LOOK_S)


# -- whose pump it is


def load_document(pump: Pump, kind: str, document: str, signature: str, progress: Progress | None = None) -> int:
    """Load the people or the library, signed by the authority. Its number. PumpRefused: the old one stays in force."""
    data = document.encode("ascii")
    begin = {"kind": kind, "length": len(data), "sha256": sha256(data).hexdigest(), "signature": signature}
    pump.command("document.begin", begin)
    for offset in range(0, len(data), BLOCK):
        piece = document[offset : offset + BLOCK]
        pump.command("document.put", {"offset": offset, "data": piece})
        if progress:
            progress((offset + len(piece)) / len(data))
    return pump.command("document.commit")["number"]


def number_of(document: str) -> int:
    """The number in the first line of a people or library document."""
    return json.loads(document.partition("\n")[0])["number"]


def provision(pump: Pump, serial: str, block: str, fingerprint: str, tell: Tell, wait_s: float = CONFIRM_S) -> bool:
    """Give a new pump its serial number and its authority. False when it has them already.

    block: text of the provisioning block; fingerprint: of the authority, as `hello` says it. NotThisPump when the pump
    belongs to somebody else; NotConfirmed when START was not held.
    """
    if _is_provisioned(pump.ask("hello"), serial, fingerprint):
        return False
    hash8 = pump.command("provision.load", {"block": block})["hash"]
    expected = sha256(block.encode("ascii")).hexdigest()[:8]
    if hash8 != expected:
        raise ReadBackWrong(f"provision.load: hash held {hash8}; allowed: {expected}; press STOP at the pump")
    tell(f"at the pump: if its display shows {serial} and \"hold START {hash8[:4]}\", hold START for 2 s")
    until_s = pump.transport.now_s() + wait_s
    while not _is_provisioned(pump.ask("hello"), serial, fingerprint):
        if pump.transport.now_s() >= until_s:
            raise NotConfirmed(f"{serial}: START was not held within {wait_s:g} s; run this again")
        pump.transport.pause(LOOK_S)
    pump.connect()  # so that what it says of itself is what it is now
    return True


def _is_provisioned(hello: dict[str, Any], serial: str, fingerprint: str) -> bool:
    if hello["serial"] is None:
        return False
    if hello["serial"] != serial:
        raise NotThisPump(f"--serial held {serial}; the pump has {hello['serial']}, for good")
    if hello["authority"] != fingerprint:
        raise NotThisPump(f"--authority held the key {fingerprint}; the pump obeys {hello['authority']}, for good")
    return True


def load_if_new(pump: Pump, kind: str, document: str, signature: str, progress: Progress | None = None) -> bool:
    """As `load_document`, unless the pump has this very number already: then False."""
    if pump.ask("hello")[kind] == number_of(document):
        return False
    load_document(pump, kind, document, signature, progress)
    return True
