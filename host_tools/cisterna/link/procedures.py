"""What people do with a pump over its line, step by step. Nothing here prints or asks: a caller is told how far it is.

Whatever raises a dose ends at the pump: these procedures say what has to be done there, and wait until it was. While
they wait nobody is logged on, and from look to look the line is anybody's: it keeps nobody from stopping the pump.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from cisterna.errors import CisternaError, LinkSilent
from cisterna.link.pump import LinkUncertain, Pump, outline
from cisterna.link.records import Chain, layout
from cisterna.pharmacy import documents

CONFIRM_S = 190.0  # of the pump's time; it forgets what is not confirmed after 180 s, and not a moment sooner
FILL_S = 180  # the pump's own time in which START begins to fill the line
ORDER_S = 60  # ... and in which it gives a clinician's bolus
LOOK_S = 0.5  # from look to look whether a key was pressed
BLOCK = 2_048  # bytes of a document in one line

_PRESS_STOP = "do not hold START; press STOP at the pump: it forgets what waits"

Progress = Callable[[float], None]  # told the part that is done, 0 to 1
Tell = Callable[[str], None]  # told what is done, or what a person has to do now


class NotConfirmed(CisternaError):
    """Nobody held the key at the pump in time. What was loaded is forgotten by the pump and never came into force."""


class ReadBackWrong(CisternaError):
    """The pump holds something else than what was signed. Nobody must confirm it."""

    exit_status = 70


class NotFilled(CisternaError):
    """The line was not filled, or not to its end. The pump counts what went in, and wants only the rest."""


class NotGiven(CisternaError):
    """The pump did not begin a bolus that was ordered, and will not: the order is used up."""


class Displaced(CisternaError):
    """Somebody else has loaded another order meanwhile. What came of this one before is in the pump's log."""

    exit_status = 70


class NumberTaken(CisternaError):
    """The pump has another document of that number; it takes only a higher one."""


class NotThisPump(CisternaError):
    """The pump at the other end is not the one that was meant."""


@dataclass(frozen=True)
class Loaded:
    """A prescription that waits at the pump: its hash (8 digits), values as read back, soft limits that it passes."""

    hash8: str
    values: dict[str, Any]
    warnings: list[str]


@dataclass(frozen=True)
class Filling:
    """A line that waits to be filled: what it still takes in nL, and the pump's state before."""

    nl: int
    before: dict[str, Any]


@dataclass(frozen=True)
class Refilled:
    """What the pump had counted on in the old syringe and now holds in the new one, nL; its state afterwards."""

    expected_nl: int
    remaining_nl: int
    state: dict[str, Any]


# -- the log


def read_log(pump: Pump, progress: Progress | None = None) -> Chain:
    """All records that the pump has, checked. What is wrong with them is in `problems` of the chain."""
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
        said = f"allowed: {hash8}, which was signed; {_PRESS_STOP}"
        raise ReadBackWrong(f"rx.read: hash held {read['hash']}; {said}")
    expected = _read_back_of(document)
    held = read["values"]
    lines = [
        f"rx.read: {key} held {held.get(key)!r}; allowed: {expected.get(key)!r}, which was signed"
        for key in sorted(expected.keys() | held.keys())
        if expected.get(key) != held.get(key)
    ]
    if lines:
        raise ReadBackWrong("\n".join([*lines, _PRESS_STOP]))
    return Loaded(hash8, expected, read["warnings"])


def _read_back_of(document: str) -> dict[str, Any]:
    """What the pump has to read back: the values as signed; of the flow, what the basal gives."""
    values = json.loads(document)
    flow_nl_per_h = documents.flow_nl_per_h(values["basal_ug_per_day"], values["concentration_ug_per_ml"])
    return {**values, "flow_nl_per_h": flow_nl_per_h}


@contextlib.contextmanager
def _uncertain(what: str) -> Iterator[None]:
    """A pump that is lost while somebody is at its keys: LinkUncertain, for nobody here knows what came of it."""
    try:
        yield
    except LinkSilent as silent:
        raise LinkUncertain(f"{what}: {silent}", None) from None


def wait_confirmed(pump: Pump, hash8: str, wait_s: float = CONFIRM_S) -> None:
    """Wait until START was held at the pump and the prescription is in force. NotConfirmed when it was not.

    LinkUncertain when the pump was lost meanwhile. wait_s: of the pump's time.
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
            pump.rest(LOOK_S)


# -- before the therapy


def make_ready_to_fill(pump: Pump) -> Filling:
    """Have START begin to fill the line. Whoever calls has seen that the patient is disconnected. PumpRefused."""
    before = pump.state()
    return Filling(pump.command("prime", {"disconnected": True})["nl"], before)


@_uncertain("the line: it may or may not fill")
def wait_filling(pump: Pump, filling: Filling) -> None:
    """Wait until START was pressed and the line fills, or is full. NotFilled when the pump no longer waits for it.

    LinkUncertain when the pump was lost meanwhile.
    """
    began_s: int | None = None
    while True:
        state = pump.state()
        if state["primed"] or state["state"] == "priming" or _filled_nl(state, filling):
            return
        if state["state"] != "stopped" or state["boot"] != filling.before["boot"]:
            raise NotFilled(f"the line: not filled; now: {outline(state)}; put that right and prime again")
        began_s = state["mono_s"] if began_s is None else began_s
        if state["mono_s"] - began_s > FILL_S:
            raise NotFilled(f"the line: not filled: START was not pressed within {FILL_S} s; prime again")
        pump.rest(LOOK_S)


@_uncertain("the line: it may or may not be full")
def wait_filled(pump: Pump, filling: Filling, progress: Progress | None = None) -> dict[str, Any]:
    """Wait until the line is full. The pump's state then; NotFilled when it has stopped before. LinkUncertain."""
    while True:
        state = pump.state()
        if state["primed"]:
            return state
        filled_nl = _filled_nl(state, filling)
        if state["state"] != "priming":
            said = f"the line: ended after {filled_nl / 1000:.3f} of {filling.nl / 1000:.3f} uL; now: {outline(state)}"
            raise NotFilled(f"{said}; prime again for the rest")
        if progress:
            progress(min(1.0, filled_nl / filling.nl))
        pump.rest(LOOK_S)


def _filled_nl(state: dict[str, Any], filling: Filling) -> int:
    return state["primed_nl"] - filling.before["primed_nl"]


def refill(
    pump: Pump, fill_ul: int, drug: str, concentration_ug_per_ml: int, returned_ul: int | None = None
) -> Refilled:
    """Tell the pump of another syringe. returned_ul: what was left in the old one, None when nobody measured it.

    PumpRefused for another fluid than the prescription's, or more than the syringe holds.
    """
    expected_nl = pump.state()["remaining_nl"]
    told = {"fill_ul": fill_ul, "returned_ul": returned_ul}
    fluid = {"drug": drug, "concentration_ug_per_ml": concentration_ug_per_ml}
    remaining_nl = pump.command("reservoir.refill", told | fluid)["remaining_nl"]
    return Refilled(expected_nl, remaining_nl, pump.state())


def set_clock(pump: Pump, utc_s: Callable[[], int]) -> tuple[int, int]:
    """Set the wall clock to what `utc_s()` says when it is told, s since 1970. What it showed before and shows now."""
    before_s = pump.state()["utc_s"]
    return before_s, pump.command("clock.set", {"utc_s": utc_s()})["utc_s"]


# -- a clinician's bolus


def addressed(pump: Pump) -> dict[str, Any]:
    """Whom the next order has to be written to: serial, sequence, and rx, the hash of the prescription in force."""
    serial, state = pump.hello["serial"], pump.state()
    if serial is None or state["rx"] is None or state["needs_rx"]:
        raise CisternaError(f"{pump.name}: needs a prescription before an order can be written (`cisterna rx load`)")
    return {"serial": serial, "sequence": state["rx_seq"] + 1, "rx": state["rx"]}


def load_order(pump: Pump, call: dict[str, Any]) -> int:
    """Load a signed order (`call`: parameters of bolus.clinician), which then waits for START.

    Number of the first record that can tell of it. PumpRefused for a wrong order; NotGiven, with the pump's reason,
    for one that it cannot give now.
    """
    first = pump.state()["next_seq"]
    answer = pump.command("bolus.clinician", call)
    if not answer["staged"]:
        raise NotGiven(_not_given(answer["reason"]))
    return first


@_uncertain("the bolus: it may or may not be given")
def wait_given(pump: Pump, first: int) -> dict[str, int]:
    """Wait until START was pressed and the bolus runs. What the record of its start says: nl, mass_ng, duration_ms ...

    first: as `load_order` says. The records are asked, for the patient's own bolus looks the same in the state.
    NotGiven when it will not; Displaced when another was loaded; LinkUncertain when the pump was lost meanwhile.
    """
    began: dict[str, Any] = {}
    while True:
        state = pump.state()
        began = began or state
        if state["rx_seq"] != began["rx_seq"]:  # a bolus that runs now would be that one's
            said = "this one waits no more; whether it was given before, the log says (`cisterna log`)"
            raise Displaced(f"the bolus: somebody has loaded number {state['rx_seq']} at the pump meanwhile; {said}")
        if state["next_seq"] > first:
            chain = _records_from(pump, first)
            first = chain.next_sequence
            started = _decided(chain)
            if started:
                return started
        if state["boot"] != began["boot"] or state["state"] not in ("infusing", "bolus"):
            raise NotGiven(_not_given(f"now: {outline(state)}"))
        if state["mono_s"] - began["mono_s"] > ORDER_S:
            raise NotGiven(_not_given(f"START was not pressed within {ORDER_S} s"))
        pump.rest(LOOK_S)


def _records_from(pump: Pump, first: int) -> Chain:
    chain = Chain.beginning_at(first)
    for _, data in pump.records(first):
        chain.add(data)
    return chain


def _decided(chain: Chain) -> dict[str, int] | None:
    """The start of a clinician's bolus; None while nothing was decided. NotGiven when it was refused."""
    from pump.limits import REASONS

    for record in chain.records:
        said = record.payload
        if record.name == "bolus_start" and layout.KINDS[said["kind"]] == "clinician":
            return said
        if record.name == "clinician_decision" and said["reason"]:
            raise NotGiven(_not_given(str(REASONS[said["reason"]])))
    return None


def _not_given(why: str) -> str:
    return f"the bolus is not given: {why}; this order is used up: write and sign a new one"


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
    belongs to somebody else, or is one of the bench and the block is not; NotConfirmed when START was not held.
    """
    bench = json.loads(block)["bench"]
    before = pump.ask("hello")
    if _is_provisioned(before, serial, fingerprint, bench):
        return False
    hash8 = pump.command("provision.load", {"block": block})["hash"]
    expected = sha256(block.encode("ascii")).hexdigest()[:8]
    if hash8 != expected:
        raise ReadBackWrong(f"provision.load: hash held {hash8}; allowed: {expected}; {_PRESS_STOP}")
    shows = f'"{serial}" and the authority "{fingerprint}"'
    tell(f"at the pump: if its display shows {shows}, hold START for 2 s; if not, press STOP")
    while not _is_provisioned(hello := pump.ask("hello"), serial, fingerprint, bench):
        if hello["boot"] != before["boot"]:
            raise NotConfirmed(f"{serial}: the pump has started anew and forgotten it; run this again")
        if hello["mono_s"] - before["mono_s"] >= wait_s:
            raise NotConfirmed(f"{serial}: START was not held within {wait_s:g} s; run this again")
        pump.rest(LOOK_S)
    pump.connect()  # so that what it says of itself is what it is now
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


def load_if_new(pump: Pump, kind: str, document: str, signature: str, progress: Progress | None = None) -> bool:
    """As `load_document`, unless the pump has this very document already: then False. NumberTaken: another one."""
    hello, number = pump.ask("hello"), number_of(document)
    if hello[kind] == number:
        mine, held = sha256(document.encode("ascii")).hexdigest()[:8], hello[f"{kind}_hash"]
        if mine != held:
            raise NumberTaken(
                f"{kind} number {number}: {mine} in the file, {held} in the pump; make it anew with a higher --number"
            )
        return False
    load_document(pump, kind, document, signature, progress)
    return True
