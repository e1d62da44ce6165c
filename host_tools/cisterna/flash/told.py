"""What a deployment was, for people and for scripts."""

from __future__ import annotations

import json

from cisterna.flash.deploy import Outcome


def show(outcome: Outcome, dry_run: bool, as_json: bool) -> None:
    if as_json:
        print(json.dumps(outcome.summary(), indent=2))
        return
    plan = outcome.plan
    print(f"{outcome.port}: {outcome.board.machine}, image {outcome.board.build}")
    differing = [*plan.modules, *(f"{name} (gone)" for name in plan.gone)]
    if differing:
        print(f"  {_many(len(differing), 'module')} of this checkout differ from the image: {', '.join(differing)}")
    else:
        print("  nothing of this checkout differs from the image")
    if plan.nothing:
        print("  the board has it all already")
    else:
        would = "would be " if dry_run else ""
        print(f"  {would}sent {_many(len(plan.send), 'file')}, {plan.bytes / 1000:.1f} kB")
        if plan.clear or plan.drop:
            print(f"  {would}removed: {', '.join([*plan.clear, *plan.drop])}")
    runs = "would run" if dry_run else "runs"
    print(f"  {runs} build {plan.build}" + (", restarted" if outcome.restarted else ", not restarted"))


def _many(count: int, what: str) -> str:
    return f"{count} {what}" + ("" if count == 1 else "s")
