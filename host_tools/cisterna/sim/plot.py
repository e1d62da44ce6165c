"""Draws the therapy on one page: flow, volumes, line pressure, boluses, alarms, rolling 24 h mass and its limit."""

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cisterna.errors import OutputError
from cisterna.pharmacy.prescription_model import Prescription
from cisterna.sim import report
from cisterna.sim.equivalence import DISPLAY
from cisterna.sim.trace import Row

DAY_S = 86_400
FORMATS = ("png", "svg", "pdf", "eps", "ps", "jpg", "jpeg", "tif", "tiff", "webp")
TITLE_CHARACTERS = 120  # more would not fit on the page
_COLOURS = {
    "delivered": "tab:green",
    "running": "tab:green",
    "refused": "tab:red",
    "interrupted": "tab:orange",
}
_PRIORITY = {"high": "tab:red", "medium": "goldenrod", "low": "tab:cyan"}


def rolling_ug(rows: list[Row], ug_per_ul: float, window_s: float = DAY_S) -> list[float]:
    """Mass pumped in the `window_s` up to each row, ug; the first windows begin with the therapy."""
    out, first = [], 0
    for row in rows:
        while rows[first].t_s < row.t_s - window_s:
            first += 1
        out.append((row.pumped_ul - rows[first].pumped_ul) * ug_per_ul)
    return out


def flows_ml_per_h(rows: list[Row]) -> list[float]:
    """Mean pumped flow between each row and the previous one, mL/h; 0 for the first."""
    return [0.0, *_flows(rows)]


def _flows(rows: list[Row]) -> Iterator[float]:
    for before, row in zip(rows, rows[1:], strict=False):
        passed_s = row.t_s - before.t_s
        yield (row.pumped_ul - before.pumped_ul) * 3.6 / passed_s if passed_s else 0.0


def format_of(path: Path) -> str:
    """The format in which `path` is written, by its suffix; PNG without one. Raises OutputError for an unknown one."""
    suffix = path.suffix.strip(".").lower()
    if suffix and suffix not in FORMATS:
        raise OutputError(f"--plot held {path}; allowed: a file name that ends in .{', .'.join(FORMATS)}")
    return suffix or "png"


def draw(path: Path, rows: list[Row], summary: dict[str, Any], rx: Prescription) -> None:
    """Write the page to exactly `path`, in the format of its suffix. OutputError if the file cannot be written."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    scale, unit = (3600, "h") if summary["sim_s"] <= 4 * DAY_S else (DAY_S, "d")
    t = [row.t_s / scale for row in rows]
    figure, (flow, volume, pressure, mass) = pyplot.subplots(4, 1, sharex=True, figsize=(11, 9), layout="constrained")
    title = report.printable(summary["title"])[:TITLE_CHARACTERS]
    drug = f"{DISPLAY[rx.drug]} {rx.concentration_ug_per_ml} ug/mL, {rx.site}"
    figure.suptitle(f"{title}\n{drug}", parse_math=False)

    flow.plot(t, flows_ml_per_h(rows), lw=0.8, color="tab:blue")
    flow.set_ylabel("flow pumped\nmL/h")
    _mark_boluses(flow, summary["boluses"], scale)

    volume.plot(t, [row.pumped_ul / 1000 for row in rows], lw=1, label="pumped")
    volume.plot(t, [row.delivered_ul / 1000 for row in rows], lw=1, label="delivered at the tip")
    volume.plot(t, [row.booked_ul / 1000 for row in rows], lw=1, ls="--", label="booked by the pump")
    volume.set_ylabel("since the start\nmL")
    volume.legend(loc="upper left", fontsize="small")

    pressure.plot(t, [row.pressure_kpa for row in rows], lw=0.8, color="tab:purple")
    pressure.set_ylabel("line pressure\nkPa")
    _mark_alarms(pressure, summary["alarms"], scale)

    mass.plot(t, rolling_ug(rows, rx.concentration_ug_per_ml / 1000), lw=1, color="tab:blue")
    if rx.limit_24h_ug is not None:
        mass.axhline(rx.limit_24h_ug, color="tab:red", ls="--", lw=1)
        place = {"xy": (0.005, rx.limit_24h_ug), "xycoords": ("axes fraction", "data"), "va": "top"}
        mass.annotate(f"limit {rx.limit_24h_ug} ug", **place, fontsize="small", color="tab:red")
    mass.set_ylabel("last 24 h\nug")
    mass.set_ylim(0, 1.1 * mass.get_ylim()[1])
    mass.set_xlim(0, summary["sim_s"] / scale)
    mass.set_xlabel(f"{unit} since the start of delivery (simulated; research and bench use only)")
    for axes in (flow, volume, pressure, mass):
        axes.grid(alpha=0.3)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Glyph .* missing")  # of a title in a script the font has not
            figure.savefig(path, dpi=110, format=format_of(path))
    except OSError as error:
        raise OutputError(f"--plot {path}: cannot be written: {error.strerror}") from None
    finally:
        pyplot.close(figure)


def _mark_boluses(axes: Any, boluses: list[dict[str, Any]], scale: float) -> None:
    """A triangle for each request, coloured by its result."""
    top = axes.get_ylim()[1]
    for result, colour in _COLOURS.items():
        times = [bolus["t_request"] / scale for bolus in boluses if bolus["result"] == result]
        if times:
            axes.plot(times, [top] * len(times), "v", color=colour, ms=6, label=result, clip_on=False)
    if boluses:
        axes.legend(loc="upper right", fontsize="small", title="bolus")


def _mark_alarms(axes: Any, alarms: list[dict[str, Any]], scale: float) -> None:
    for alarm in alarms[:30]:
        axes.axvline(alarm["t_on"] / scale, color=_PRIORITY[alarm["priority"]], lw=1, alpha=0.8)
        axes.annotate(alarm["code"], (alarm["t_on"] / scale, 0.97), xycoords=("data", "axes fraction"),
                      rotation=90, va="top", ha="right", fontsize="small")  # fmt: skip
