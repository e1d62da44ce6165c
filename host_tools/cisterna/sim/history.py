"""Builds the bolus and alarm lists of the summary from the pump's records, in seconds of the scenario."""

from collections.abc import Callable
from typing import Any

from cisterna import paths
from cisterna.durations import seconds
from cisterna.link.records import Record

paths.use_firmware()
from pump.dosing import limits  # noqa: E402
from pump.monitoring import alarms as alarm_table  # noqa: E402  (the firmware's folder has to be known first)
from pump.storage import records as layout  # noqa: E402

Clock = Callable[[int, int], int]  # boot, the pump's monotonic ms -> ms of the scenario

_DECISIONS = {"pca_decision": "pca", "clinician_decision": "clinician"}


def ul(nl: int) -> float:
    """nL as the summary's uL, to 3 decimals."""
    return round(nl / 1000, 3)


def _kind(record: Record) -> Any:
    """`pca` or `clinician`."""
    return layout.KINDS[record.payload["kind"]]


class Boluses:
    """The bolus list: a decision record adds an entry; start, end and cut records complete it."""

    def __init__(self, clock: Clock):
        self._clock = clock
        self._entries: list[dict[str, Any]] = []
        self._going: dict[str, dict[str, Any]] = {}  # kind -> accepted entry that has not ended
        self._planned_nl: dict[str, int] = {}  # kind -> volume of the bolus that began last
        self._last_s = self._cut_s = 0.0  # time of the newest record; of the last one before the newest power-up

    def take(self, record: Record) -> None:
        if record.name == "boot":
            self._cut_s = self._last_s
        elif record.name == "self_test":  # the records of what a power cut ended come before it
            self._end_unrecorded()
        self._last_s = self._at(record)
        if record.name in _DECISIONS:
            self._decision(record, _DECISIONS[record.name])
        elif record.name == "bolus_start":
            entry = self._going.get(_kind(record))
            self._planned_nl[_kind(record)] = record.payload["nl"]
            if entry is not None:
                entry["t_start"] = self._at(record)
        elif record.name == "bolus_end":
            self._end(record)
        elif record.name == "bolus_cut":
            self._cut(record)

    def _at(self, record: Record) -> float:
        return self._clock(record.boot, record.mono_ms) / 1000

    def _then(self, record: Record, name: str) -> float | None:
        """The time in the payload's `name`_s and `name`_ms, in scenario s; None if negative."""
        s, ms = record.payload[f"{name}_s"], record.payload[f"{name}_ms"]
        return None if s < 0 else self._clock(record.boot, s * 1000 + ms) / 1000

    def _decision(self, record: Record, kind: str) -> None:
        accepted = record.payload["reason"] == limits.ACCEPTED
        entry = {
            "kind": kind,
            "t_request": self._then(record, "contact" if kind == "pca" else "request"),
            "t_start": None,
            "t_end": None,
            "result": "running" if accepted else "refused",
            "reason": limits.REASONS[record.payload["reason"]],
            "ul": 0.0,
            "next_possible_s": None if accepted else self._then(record, "next"),
        }
        self._entries.append(entry)
        if accepted:
            self._going[kind] = entry

    def _end(self, record: Record) -> None:
        entry = self._going.pop(_kind(record), None)
        if entry is None:
            return
        entry["t_end"] = self._at(record)
        entry["result"] = "interrupted" if record.payload["interrupted"] else "delivered"
        entry["ul"] = ul(record.payload["nl"])
        entry["next_possible_s"] = self._then(record, "next")

    def _end_unrecorded(self) -> None:
        """Ends each bolus whose record of its start or end was torn by a power cut: after it no bolus runs.

        Without a start nothing moved; without an end the pump has booked it whole.
        """
        for kind in list(self._going):
            entry = self._going.pop(kind)
            entry["t_end"] = max(self._cut_s, entry["t_start"] or entry["t_request"])
            entry["result"] = "interrupted"
            entry["ul"] = 0.0 if entry["t_start"] is None else ul(self._planned_nl[kind])

    def _cut(self, record: Record) -> None:
        """At power-up: a power cut ended a bolus, at the latest time at which it can have moved."""
        entry = self._going.pop(_kind(record), None)
        if entry is None:
            return
        end_ms = record.payload["end_s"] * 1000 + record.payload["end_ms"]
        entry["t_end"] = max(self._clock(record.boot - 1, end_ms) / 1000, entry["t_start"] or 0.0)
        entry["result"] = "interrupted"
        entry["ul"] = ul(record.payload["nl"])
        entry["next_possible_s"] = self._then(record, "next")

    def running(self) -> dict[str, dict[str, Any]]:
        """Kind -> entry of a bolus that has not ended."""
        return self._going

    def ended_nl(self, kind: str) -> float:
        """Volume of the ended boluses of `kind`, uL."""
        return sum(entry["ul"] for entry in self._entries if entry["kind"] == kind and entry["t_end"] is not None)

    def entries(self) -> list[dict[str, Any]]:
        """All entries, by the time of their request."""
        return sorted(self._entries, key=lambda entry: entry["t_request"])


class Alarms:
    """The alarm list. An alarm raised again while on is the same entry, unless its action differs."""

    def __init__(self, clock: Clock):
        self._clock = clock
        self._entries: list[dict[str, Any]] = []
        self._on: dict[int, dict[str, Any]] = {}

    def take(self, record: Record) -> None:
        number = record.payload.get("alarm")
        if record.name == "alarm_on":
            self._raise(record)
        elif record.name == "alarm_ack" and number in self._on:
            if self._on[number]["t_ack"] is None:
                self._on[number]["t_ack"] = self._at(record)
        elif record.name == "alarm_off" and number in self._on:
            self._on.pop(number)["t_off"] = self._at(record)

    def _at(self, record: Record) -> float | None:
        return seconds(self._clock(record.boot, record.mono_ms))

    def _raise(self, record: Record) -> None:
        number = record.payload["alarm"]
        entry = {
            "code": alarm_table.CODES[number],
            "priority": alarm_table.PRIORITIES[record.payload["priority"]],
            "action": alarm_table.ACTIONS[record.payload["action"]],
            "t_on": self._at(record),
            "t_ack": None,
            "t_off": None,
        }
        before = self._on.get(number)
        if before is not None:
            if before["action"] == entry["action"]:
                return
            before["t_off"] = entry["t_on"]
        self._on[number] = entry
        self._entries.append(entry)

    def entries(self) -> list[dict[str, Any]]:
        """All entries, by the time they came on."""
        return sorted(self._entries, key=lambda entry: entry["t_on"])
