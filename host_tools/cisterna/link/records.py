"""The pump's records: decoded with the firmware's tables, verified by the host's own code."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from cisterna import paths
from cisterna.errors import OutputError

paths.use_firmware()
from pump.storage import records as layout  # noqa: E402  (the firmware's folder has to be known first)

_MAX_JSON_LINE = 4096  # bytes; the JSON line of a record is much shorter
_FIELDS = struct.Struct(layout.FORMAT)


@dataclass(frozen=True)
class Record:
    """One record. `mono_ms`: the pump's monotonic time; `utc_s`: None if its wall clock was not set."""

    sequence: int
    boot: int
    name: str
    mono_ms: int
    utc_s: int | None
    rx: str
    payload: dict[str, int]


@dataclass
class Chain:
    """Records in the order received, and the faults found in their numbers, CRC-32 and hash chain.

    `previous`: hash of the last record; eight zero bytes before the first record of a pump. None: the record before
    is no longer stored, so that the link of the first record is not checked.
    """

    records: list[Record] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    next_sequence: int = 0
    previous: bytes | None = bytes(8)

    @classmethod
    def beginning_at(cls, sequence: int) -> Chain:
        """An empty chain whose first record will have this number."""
        return cls(next_sequence=sequence, previous=None if sequence else bytes(8))

    @property
    def verified(self) -> bool:
        return not self.problems

    def add(self, data: bytes) -> int:
        """Verify and append the bytes of whole records; returns their count."""
        count, rest = divmod(len(data), layout.RECORD_BYTES)
        if rest:
            self.problems.append(f"after record {self.next_sequence - 1}: {rest} bytes are no whole record")
        for place in range(count):
            self._take(data[place * layout.RECORD_BYTES : (place + 1) * layout.RECORD_BYTES])
        return count

    def _take(self, raw: bytes) -> None:
        sequence, boot, kind, flags, s, ms, _, utc_s, rx, *words, previous, check = _FIELDS.unpack(raw)
        if check != zlib.crc32(raw[:-4]):
            self.problems.append(f"record {self.next_sequence}: its CRC does not fit")
        if sequence != self.next_sequence:
            self.problems.append(f"record {self.next_sequence} is missing; found {sequence}")
        elif self.previous not in (None, previous):
            self.problems.append(f"record {sequence}: not chained to the one before it")
        self.next_sequence = sequence + 1
        self.previous = sha256(raw).digest()[:8]
        name, payload_names = layout.TYPES.get(kind, (f"type_{kind}", tuple(f"word_{n}" for n in range(7))))
        self.records.append(
            Record(
                sequence=sequence,
                boot=boot,
                name=name,
                mono_ms=s * 1000 + ms,
                utc_s=utc_s if flags & layout.WALL_CLOCK_SET else None,
                rx=f"{rx:08x}",
                payload=dict(zip(payload_names, words, strict=False)),
            )
        )


def check_path(path: Path, force: bool, option: str = "--out") -> None:
    """Raises OutputError if a log must not be written to `path`. Without `force` only an older log is replaced."""
    if path.is_file() and not force and not _is_log(path):
        raise OutputError(
            f"{option} held {path}, which is there already and is no log of a pump; allowed: a new file, an older log, "
            "or --force"
        )
    if path.is_dir() or not path.parent.is_dir():
        raise OutputError(f"{option} held {path}; allowed: a file in a folder that exists")


def _is_log(path: Path) -> bool:
    """Whether the first line is one of `write_jsonl`, or the file is empty."""
    try:
        with path.open("rb") as file:
            line = file.readline(_MAX_JSON_LINE)
        record = json.loads(line) if line else {"seq": 0}
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(record, dict) and "seq" in record


def write_jsonl(path: Path, records: Iterable[Record], t_s: Callable[[Record], float], option: str = "--log") -> None:
    """Write one JSON object per line; `t_s` gives the time of a record in the scenario. Replaces an existing file.

    Raises OutputError if that fails; the existing file then stays.
    """
    from cisterna.pharmacy import signed_files

    lines = (json.dumps(_as_object(record, t_s(record))).encode("ascii") + b"\n" for record in records)
    try:
        signed_files.write_parts(path, lines, replace=True)
    except OutputError as error:
        raise OutputError(f"{option} {error}") from None


def _as_object(record: Record, t_s: float) -> dict[str, Any]:
    utc = None if record.utc_s is None else datetime.fromtimestamp(record.utc_s, UTC).isoformat()
    return {
        "seq": record.sequence,
        "t_s": t_s,
        "boot": record.boot,
        "mono_s": record.mono_ms / 1000,
        "utc": utc,
        "rx": record.rx,
        "type": record.name,
        **record.payload,
    }
