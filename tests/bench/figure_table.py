"""One figure, and the table that they are shown in."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Figure:
    """What was found beside what must be reached and what others reach.

    goal: as DESIGN states it; "" for a figure that only explains another. held: whether it was reached, None without
    a goal. reference: what others reach, and who says so. needs: what it would take, for one that was missed.
    values: the bare numbers, for other programs.
    """

    name: str
    found: str
    goal: str = ""
    held: bool | None = None
    reference: str = ""
    needs: str = ""
    values: dict[str, Any] = field(default_factory=dict)


def show(title: str, figures: Iterable[Figure], console: Console) -> None:
    """A table of one group, and below it a sentence for each goal that was missed."""
    figures = list(figures)
    table = Table(title=title, title_justify="left", title_style="bold", pad_edge=False, expand=True)
    table.add_column("figure", ratio=8)
    table.add_column("found", justify="right", ratio=6)
    table.add_column("goal", ratio=3)
    table.add_column("", width=6)
    table.add_column("beside it (source)", ratio=8)
    for figure in figures:
        verdict = {True: "held", False: "[red]missed[/red]", None: ""}[figure.held]
        table.add_row(figure.name, figure.found, figure.goal, verdict, figure.reference)
    console.print(table)
    for figure in figures:
        if figure.held is False:
            console.print(f"[red]missed[/red] {figure.name}: {figure.needs}", highlight=False)
    console.print()
