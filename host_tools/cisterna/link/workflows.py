"""Clinical workflows on a pump over its link, step by step. Nothing here prints or prompts; callers pass callbacks.

A step that can raise a dose needs a key pressed at the pump; the `wait_...` functions poll until it was pressed. While
they wait no session is open, and between polls other programs can use the port, for example to stop the pump.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from cisterna import paths
from cisterna.errors import CisternaError, LinkSilent
from cisterna.link.protocol import DOCUMENT_BLOCK
from cisterna.link.pump_client import LinkUncertain, PumpClient, outline
from cisterna.link.records import Chain, layout
from cisterna.pharmacy import documents, sign

if TYPE_CHECKING:
    from cisterna.pharmacy.keys import Signer

paths.use_firmware()
from pump.panel.pending_confirmation import ORDER_S, PRESCRIPTION_S, PRIMING_S, PROVISIONING_S  # noqa: E402

CONFIRM_S = max(PRESCRIPTION_S, PROVISIONING_S) + 10.0  # s of the pump's time: longer than the pump itself waits
POLL_S = 0.5  # s between two polls whether a key was pressed

_PRESS_STOP = "do not hold START; press STOP at the pump: it forgets what waits"

Progress = Callable[[float], None]  # called with the done part, 0 to 1
Tell = Callable[[str], None]  # called with what the person at the pump has to do now


class NotConfirmed(CisternaError):
    """START was not held at the pump in time. The pump has dropped what was loaded; it never came into force."""


class ReadBackWrong(CisternaError):
    """The pump reads back other values than those signed. They must not be confirmed at the pump."""

    exit_status = 70


class NotFilled(CisternaError):
    """The line is not full. The pump counts the volume so far; the next `prime` fills the rest."""


class NotGiven(CisternaError):
    """The pump did not start an ordered bolus and will not; the order is used up."""


class OrderReplaced(CisternaError):
    """Another order was loaded while this one waited. The pump's log tells whether this one was given before."""

    exit_status = 70


class NumberTaken(CisternaError):
    """The pump has another document with the same number; it accepts only a higher number."""


class NotThisPump(CisternaError):
    """The pump at this address is not the one named by the options."""


@dataclass(frozen=True)
class LoadedPrescription:
    """A prescription that waits for confirmation: hash (8 digits), values as read back, soft limits that it exceeds."""

    hash8: str
    values: dict[str, Any]
    warnings: list[str]


@dataclass(frozen=True)
class Filling:
    """A line that waits to be filled: remaining volume, nL, and the state of the pump before."""

    nl: int
    before: dict[str, Any]


@dataclass(frozen=True)
class Refilled:
    """Volume expected in the old syringe and volume in the new one, nL; the state of the pump afterwards."""

    expected_nl: int
    remaining_nl: int
    state: dict[str, Any]


# -- the log


def read_log(pump: PumpClient, progress: Progress | None = None) -> Chain:
    """All records of the pump, verified. Faults are listed in `problems` of the chain."""
    total = pump.state()["next_seq"]
    chain: Chain | None = None
    for first, data in pump.records():
        chain = chain or Chain.beginning_at(first)
        chain.add(data)
        if progress:
            progress(min(1.0, chain.next_sequence / max(1, total)))
    chain = chain or Chain()
    if chain.next_sequence < total:
        chain.problems.append(f"record {chain.next_sequence} is missing; the pump has {total}")
    return chain


# -- therapy: only reduced, never increased


def pause(pump: PumpClient) -> str:
    """Pause the therapy; START at the pump resumes it. Returns the new state."""
    return pump.command("therapy.pause")["state"]


def stop(pump: PumpClient, by: str, signer: Signer) -> str:
    """End the therapy by an order signed with the key of `by`, a clinician who has logged on. Returns the new state.

    Delivery then needs a new prescription. Raises PumpRefused; CisternaError if the pump has had no prescription.
    """
    serial, state = pump.hello["serial"], pump.state()
    if serial is None or state["rx"] is None:
        raise CisternaError(f"{pump.name}: has no therapy to end; to stop the motor: `cisterna pause`")
    text = documents.therapy_stop(serial=serial, sequence=state["rx_seq"] + 1, rx=state["rx"])
    return pump.command("therapy.stop", {"document": text, **sign.signed_by(by, text, signer)})["state"]


# -- a prescription


def load_prescription(pump: PumpClient, call: dict[str, Any]) -> LoadedPrescription:
    """Load a signed prescription (`call`: parameters of rx.load), read it back and compare each value.

    Needs a session as clinician. Raises PumpRefused, ReadBackWrong.
    """
    document = call["document"]
    hash8 = sha256(document.encode("ascii")).hexdigest()[:8]
    loaded = pump.command("rx.load", call)
    readback = pump.readback()
    if not loaded["hash"] == readback["hash"] == hash8:
        raise ReadBackWrong(f"rx.read: hash held {readback['hash']}; allowed: {hash8}, which was signed; {_PRESS_STOP}")
    expected = _expected_readback(document)
    held = readback["values"]
    lines = [
        f"rx.read: {key} held {held.get(key)!r}; allowed: {expected.get(key)!r}, which was signed"
        for key in sorted(expected.keys() | held.keys())
        if expected.get(key) != held.get(key)
    ]
    if lines:
        raise ReadBackWrong("\n".join([*lines, _PRESS_STOP]))
    return LoadedPrescription(hash8, expected, readback["warnings"])


def _expected_readback(document: str) -> dict[str, Any]:
    """The values as signed, with the flow as derived from the basal."""
    values = json.loads(document)
    flow_nl_per_h = documents.flow_nl_per_h(values["basal_ug_per_day"], values["concentration_ug_per_ml"])
    return {**values, "flow_nl_per_h": flow_nl_per_h}


@contextlib.contextmanager
def _uncertain(what: str) -> Iterator[None]:
    """Turn LinkSilent into LinkUncertain, because a key may be pressed meanwhile. `what`: begins the message."""
    try:
        yield
    except LinkSilent as silent:
        raise LinkUncertain(f"{what}: {silent}", None) from None


def wait_confirmed(pump: PumpClient, hash8: str, wait_s: float = CONFIRM_S) -> None:
    """Wait until START is held at the pump and the prescription is in force, at most `wait_s` of the pump's time.

    Raises NotConfirmed if it was not held, LinkUncertain if the link is lost meanwhile.
    """
    with _uncertain(f"prescription {hash8}: it may or may not be in force"):
        began_s: int | None = None
        while True:
            state = pump.state()
            began_s = state["mono_s"] if began_s is None else began_s
            if state["rx"] == hash8 and state["staged"] != hash8:
                return
            if state["staged"] != hash8:
                raise NotConfirmed(f"prescription {hash8}: no longer waits at the pump; load it again")
            if state["mono_s"] - began_s >= wait_s:
                raise NotConfirmed(f"prescription {hash8}: START was not held within {wait_s:g} s; load it again")
            pump.release_port(POLL_S)


# -- before the therapy


def make_ready_to_fill(pump: PumpClient) -> Filling:
    """Make START at the pump fill the line. The caller has seen that the patient is disconnected. PumpRefused."""
    before = pump.state()
    return Filling(pump.command("prime", {"disconnected": True})["nl"], before)


@_uncertain("the line: it may or may not fill")
def wait_filling(pump: PumpClient, filling: Filling) -> None:
    """Wait until START is pressed and the line fills or is full.

    Raises NotFilled if the pump no longer waits for START, LinkUncertain if the link is lost meanwhile.
    """
    began_s: int | None = None
    while True:
        state = pump.state()
        if state["primed"] or state["state"] == "priming" or _filled_nl(state, filling):
            return
        if state["state"] != "stopped" or state["boot"] != filling.before["boot"]:
            raise NotFilled(f"the line: not filled; now: {outline(state)}; put that right and prime again")
        began_s = state["mono_s"] if began_s is None else began_s
        if state["mono_s"] - began_s > PRIMING_S:
            raise NotFilled(f"the line: not filled: START was not pressed within {PRIMING_S} s; prime again")
        pump.release_port(POLL_S)


@_uncertain("the line: it may or may not be full")
def wait_filled(pump: PumpClient, filling: Filling, progress: Progress | None = None) -> dict[str, Any]:
    """Wait until the line is full; returns the pump's state. Raises NotFilled if filling ended early, LinkUncertain."""
    while True:
        state = pump.state()
        if state["primed"]:
            return state
        filled_nl = _filled_nl(state, filling)
        if state["state"] != "priming":
            volumes = f"{filled_nl / 1000:.3f} of {filling.nl / 1000:.3f} uL"
            raise NotFilled(f"the line: ended after {volumes}; now: {outline(state)}; prime again for the rest")
        if progress:
            progress(min(1.0, filled_nl / filling.nl))
        pump.release_port(POLL_S)


def _filled_nl(state: dict[str, Any], filling: Filling) -> int:
    return state["primed_nl"] - filling.before["primed_nl"]


def refill(
    pump: PumpClient,
    fill_ul: int,
    drug: str,
    concentration_ug_per_ml: int,
    syringe: str,
    returned_ul: int | None = None,
) -> Refilled:
    """Register a new syringe. returned_ul: volume left in the old one; None if it was not measured.

    Raises PumpRefused for another fluid or syringe than the prescription's, more than the syringe holds, an open clamp,
    or another syringe than before whose clamp was not opened.
    """
    expected_nl = pump.state()["remaining_nl"]
    params = {
        "fill_ul": fill_ul,
        "returned_ul": returned_ul,
        "drug": drug,
        "concentration_ug_per_ml": concentration_ug_per_ml,
        "syringe": syringe,
    }
    remaining_nl = pump.command("reservoir.refill", params)["remaining_nl"]
    return Refilled(expected_nl, remaining_nl, pump.state())


def set_clock(pump: PumpClient, utc_s: Callable[[], int]) -> tuple[int, int]:
    """Set the wall clock to `utc_s()`, s since 1970, called just before. Returns the time before and after, s."""
    before_s = pump.state()["utc_s"]
    return before_s, pump.command("clock.set", {"utc_s": utc_s()})["utc_s"]


# -- a clinician's bolus


def order_header(pump: PumpClient) -> dict[str, Any]:
    """Head of the next order for this pump: serial, sequence, and rx, the hash of the prescription in force."""
    serial, state = pump.hello["serial"], pump.state()
    if serial is None or state["rx"] is None or state["needs_rx"]:
        raise CisternaError(f"{pump.name}: needs a prescription before an order can be written (`cisterna rx load`)")
    return {"serial": serial, "sequence": state["rx_seq"] + 1, "rx": state["rx"]}


def load_order(pump: PumpClient, call: dict[str, Any]) -> int:
    """Load a signed order (`call`: parameters of bolus.clinician), which then waits for START.

    Returns the number of the first record that can belong to it. Raises PumpRefused for a wrong order; NotGiven, with
    the pump's reason, for one that it cannot give now.
    """
    first = pump.state()["next_seq"]
    answer = pump.command("bolus.clinician", call)
    if not answer["staged"]:
        raise NotGiven(_not_given(answer["reason"]))
    return first


@_uncertain("the bolus: it may or may not be given")
def wait_given(pump: PumpClient, first: int) -> dict[str, int]:
    """Wait until START is pressed and the bolus runs. Returns the payload of its start: nl, mass_ng, duration_ms ...

    first: from `load_order`. Reads the records, because a patient's bolus looks the same in `state`.
    Raises NotGiven if it will not run, OrderReplaced if another was loaded, LinkUncertain if the link is lost.
    """
    before: dict[str, Any] = {}
    while True:
        state = pump.state()
        before = before or state
        if state["rx_seq"] != before["rx_seq"]:  # a bolus that runs now can be that of the other order
            raise OrderReplaced(
                f"the bolus: somebody has loaded number {state['rx_seq']} at the pump meanwhile; this one "
                "waits no more; the log shows whether it was given before (`cisterna log`)"
            )
        if state["next_seq"] > first:
            chain = _records_from(pump, first)
            first = chain.next_sequence
            started = _bolus_start(chain)
            if started:
                return started
        if state["boot"] != before["boot"] or state["state"] not in ("infusing", "bolus"):
            raise NotGiven(_not_given(f"now: {outline(state)}"))
        if state["mono_s"] - before["mono_s"] > ORDER_S:
            raise NotGiven(_not_given(f"START was not pressed within {ORDER_S} s"))
        pump.release_port(POLL_S)


def _records_from(pump: PumpClient, first: int) -> Chain:
    chain = Chain.beginning_at(first)
    for _, data in pump.records(first):
        chain.add(data)
    return chain


def _bolus_start(chain: Chain) -> dict[str, int] | None:
    """Payload of the start of a clinician's bolus; None while there is no decision. Raises NotGiven if refused."""
    from pump.dosing.limits import REASONS

    for record in chain.records:
        payload = record.payload
        if record.name == "bolus_start" and layout.KINDS[payload["kind"]] == "clinician":
            return payload
        if record.name == "clinician_decision" and payload["reason"]:
            raise NotGiven(_not_given(str(REASONS[payload["reason"]])))
    return None


def _not_given(why: str) -> str:
    return f"the bolus is not given: {why}; this order is used up: write and sign a new one"


# -- people, drug library and provisioning


def load_document(pump: PumpClient, kind: str, document: str, signature: str, progress: Progress | None = None) -> int:
    """Load a people or library document. Returns its number. Raises PumpRefused; the old one then stays in force."""
    data = document.encode("ascii")
    begin = {"kind": kind, "length": len(data), "sha256": sha256(data).hexdigest(), "signature": signature}
    pump.command("document.begin", begin)
    for offset in range(0, len(data), DOCUMENT_BLOCK):
        piece = document[offset : offset + DOCUMENT_BLOCK]
        pump.command("document.put", {"offset": offset, "data": piece})
        if progress:
            progress((offset + len(piece)) / len(data))
    return pump.command("document.commit")["number"]


def document_number(document: str) -> int:
    """The number in the first line of a people or library document."""
    return json.loads(document.partition("\n")[0])["number"]


def provision(
    pump: PumpClient, serial: str, block: str, fingerprint: str, tell: Tell, wait_s: float = CONFIRM_S
) -> bool:
    """Give a new pump its serial number and its authority. Returns False if it has them already.

    block: text of the provisioning block; fingerprint: of the authority, as in `hello`. Raises NotThisPump if the pump
    has another serial number, authority or bench flag; NotConfirmed if START was not held.
    """
    bench = json.loads(block)["bench"]
    before = pump.ask("hello")
    if _is_provisioned(before, serial, fingerprint, bench):
        return False
    hash8 = pump.command("provision.load", {"block": block})["hash"]
    expected = sha256(block.encode("ascii")).hexdigest()[:8]
    if hash8 != expected:
        raise ReadBackWrong(f"provision.load: hash held {hash8}; allowed: {expected}; {_PRESS_STOP}")
    display = f'"{serial}" and the authority "{fingerprint}"'
    tell(f"at the pump: if its display shows {display}, hold START for 2 s; if not, press STOP")
    while not _is_provisioned(hello := pump.ask("hello"), serial, fingerprint, bench):
        if hello["boot"] != before["boot"]:
            raise NotConfirmed(f"{serial}: the pump has restarted and dropped it; run this again")
        if hello["mono_s"] - before["mono_s"] >= wait_s:
            raise NotConfirmed(f"{serial}: START was not held within {wait_s:g} s; run this again")
        pump.release_port(POLL_S)
    pump.connect()  # updates pump.hello
    return True


def _is_provisioned(hello: dict[str, Any], serial: str, fingerprint: str, bench: bool) -> bool:
    if hello["serial"] is None:
        return False
    if hello["serial"] != serial:
        raise NotThisPump(f"--serial held {serial}; the pump has {hello['serial']}, for good")
    if hello["authority"] != fingerprint:
        raise NotThisPump(f"--authority held the key {fingerprint}; the pump obeys {hello['authority']}, for good")
    if hello["bench"] != bench:
        held, is_one = ("held", "none") if bench else ("not given", "one")
        raise NotThisPump(f"--bench: {held}; the pump is {is_one} of the bench, for good")
    return True


def load_if_new(pump: PumpClient, kind: str, document: str, signature: str, progress: Progress | None = None) -> bool:
    """Load a document unless the pump has it already; returns whether it was loaded.

    Raises NumberTaken if the pump has another document with the same number.
    """
    hello, number = pump.ask("hello"), document_number(document)
    if hello[kind] == number:
        own, held = sha256(document.encode("ascii")).hexdigest()[:8], hello[f"{kind}_hash"]
        if own != held:
            raise NumberTaken(
                f"{kind} number {number}: {own} in the file, {held} in the pump; make it again with a higher --number"
            )
        return False
    load_document(pump, kind, document, signature, progress)
    return True
