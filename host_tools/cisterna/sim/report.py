"""Prints the summary for people: doses, boluses, alarms, refusals and totals, on one page."""

from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cisterna.durations import readable
from cisterna.pharmacy.prescription_model import Prescription
from cisterna.sim import equivalence

MAX_ROWS = 40  # of any one table; the JSON summary has all of them


def printable(title: str) -> str:
    """`title` with its control characters escaped: a terminal would act on them."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in title)


def show(summary: dict[str, Any], prescription: Prescription, drugs: list[str], console: Console) -> None:
    """Print `summary` to `console`. drugs: each drug that was prescribed, in order."""
    console.print(Text(printable(summary["title"]), "bold"), highlight=False)
    console.print(_prescribed(prescription), highlight=False)
    verified = "verified" if summary["log"]["verified"] else "NOT VERIFIED"
    console.print(
        f"{readable(summary['sim_s'])} of therapy on {summary['target']} in {summary['wall_s']:.2f} s; "
        f"pump {summary['state']}, reboots {summary['reboots']}, "
        f"log {summary['log']['records']} records, {verified}",
        highlight=False,
    )
    _boluses(summary["boluses"], console)
    _alarms(summary["alarms"], console)
    _refusals(summary["refusals"], console)
    _totals(summary, drugs, console)


def _prescribed(rx: Prescription) -> str:
    flow_ml_per_h = rx.basal_ug_per_day / 24 / rx.concentration_ug_per_ml
    text = (
        f"{equivalence.DISPLAY[rx.drug]} {rx.concentration_ug_per_ml} ug/mL, {rx.route} ({rx.site}); "
        f"basal {rx.basal_ug_per_day} ug/day ({flow_ml_per_h:.4g} mL/h)"
    )
    if not rx.bolus_ug:
        return text + "; no PCA"
    return text + f"; bolus {rx.bolus_ug} ug over {rx.bolus_duration_s} s, lockout {rx.lockout_s / 60:g} min"


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column in ("uL", "asked", "start", "end") else "left")
    return table


def _fill(table: Table, rows: list[list[str]], console: Console) -> None:
    for row in rows[:MAX_ROWS]:
        table.add_row(*row)
    console.print(table)
    if len(rows) > MAX_ROWS:
        console.print(f"... and {len(rows) - MAX_ROWS} more; --json has all")


def _time(t: float | None) -> str:
    return "-" if t is None else readable(t)


def _boluses(boluses: list[dict[str, Any]], console: Console) -> None:
    if not boluses:
        console.print("Boluses: none asked for")
        return
    rows = [
        [
            bolus["kind"],
            _time(bolus["t_request"]),
            _time(bolus["t_start"]),
            _time(bolus["t_end"]),
            bolus["result"] + (f" ({bolus['reason']})" if bolus["reason"] else ""),
            f"{bolus['ul']:.3f}",
            _time(bolus["next_possible_s"]),
        ]
        for bolus in boluses
    ]
    _fill(_table("Boluses", "kind", "asked", "start", "end", "result", "uL", "next possible"), rows, console)


def _alarms(alarms: list[dict[str, Any]], console: Console) -> None:
    if not alarms:
        console.print("Alarms: none")
        return
    rows = [
        [
            alarm["code"],
            alarm["priority"],
            alarm["action"],
            *(_time(alarm[k]) for k in ("t_on", "t_ack", "t_off")),
        ]
        for alarm in alarms
    ]
    _fill(_table("Alarms", "alarm", "priority", "action", "on", "acknowledged", "off"), rows, console)


def _refusals(refusals: list[dict[str, Any]], console: Console) -> None:
    if refusals:
        rows = [[_time(entry["t"]), entry["do"], entry["code"]] for entry in refusals]
        _fill(_table("Refused to the clinician", "at", "what", "code"), rows, console)


def _totals(summary: dict[str, Any], drugs: list[str], console: Console) -> None:
    booked_ug = summary["booked_ug"]
    given = f"Given by the pump's account: {booked_ug:.3f} ug {', then '.join(drugs)}"
    # After a change of drug the total is of both drugs: no single ratio applies.
    equivalent_ug = equivalence.morphine_ug(drugs[0], booked_ug) if len(drugs) == 1 else None
    if equivalent_ug is not None:
        given += f" = {equivalent_ug / 1000:.4f} mg morphine equivalent"
    console.print(given, highlight=False)
    console.print(
        f"Volumes: pumped {summary['pumped_ul']:.3f}, delivered {summary['delivered_ul']:.3f}, "
        f"booked {summary['booked_ul']:.3f} uL; primed {summary['primed_ul']:.3f}, "
        f"released {summary['released_ul']:.3f}, lost {summary['lost_ul']:.3f} uL",
        highlight=False,
    )
    for where, key in (("pumped", "peak_window_ug"), ("at the tip", "peak_tip_ug")):
        peaks = ", ".join(f"{window} {ug:.3f}" for window, ug in summary[key].items())
        console.print(f"Largest mass in a window, {where}, ug: {peaks}", highlight=False)
    console.print(Text(f"{equivalence.footnote(drugs[-1])} Research and bench use only.", "dim"), highlight=False)
