"""The trace: rows at a fixed interval, for a CSV file and for the plot."""

import csv
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from cisterna.errors import OutputError


@dataclass(frozen=True)
class Row:
    """Volumes in uL since t = 0 and the pressure in kPa, from the world; `booked_ul` and `state` from the pump."""

    t_s: float
    pumped_ul: float
    delivered_ul: float
    booked_ul: float
    pressure_kpa: float
    state: str


def write(path: Path, rows: list[Row]) -> None:
    """Write `rows` as CSV. OutputError when the file cannot be written."""
    try:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(field.name for field in fields(Row))
            writer.writerows(astuple(row) for row in rows)
    except OSError as error:
        raise OutputError(f"--trace {path}: cannot be written: {error.strerror}") from None
