"""The result of a deployment as lines of text."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from cisterna.flash.deploy import Outcome


def lines(outcome: Outcome, dry_run: bool) -> Iterator[str]:
    """The lines to print; with `dry_run` what would be done."""
    plan = outcome.plan
    yield f"{outcome.port}: {outcome.board.machine}, image {outcome.board.build}"
    differing = [*plan.modules, *(f"{name} (gone)" for name in plan.gone)]
    if differing:
        yield f"  {_count(differing, 'module')} of this checkout differ from the image: {', '.join(differing)}"
    else:
        yield "  nothing of this checkout differs from the image"
    if plan.is_empty:
        yield "  the board already has all of it"
    else:
        would = "would be " if dry_run else ""
        yield f"  {would}sent {_count(plan.send, 'file')}, {plan.bytes / 1000:.1f} kB"
        if plan.clear or plan.drop:
            yield f"  {would}removed: {', '.join([*plan.clear, *plan.drop])}"
    runs = "would run" if dry_run else "runs"
    yield f"  {runs} build {plan.build}" + (", restarted" if outcome.restarted else ", not restarted")


def _count(items: Collection[object], noun: str) -> str:
    return f"{len(items)} {noun}" + ("" if len(items) == 1 else "s")
