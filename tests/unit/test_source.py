"""Rules of the firmware that its source shows: read, not run."""

import ast
from pathlib import Path

FIRMWARE = Path(__file__).resolve().parents[2] / "firmware"
PUMP = sorted((FIRMWARE / "pump").glob("*.py"))
ONLY_TOLD = ("protocol.py", "screen.py")  # a figure for people may be a fraction
DOSES = ("basal_ug_per_day", "bolus_ug", "lockout_s", "bolus_duration_s")


def nodes(*kinds):
    """(file name, node) of each node of these kinds in `pump/`."""
    for path in PUMP:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, kinds):
                yield path.name, node


def test_no_float_in_the_dose_path():
    """NUM-01: integers with their unit in their name; no division but the whole one."""
    found = [(name, node) for name, node in nodes(ast.BinOp, ast.AugAssign) if isinstance(node.op, ast.Div)]
    found += [(name, node) for name, node in nodes(ast.Constant) if isinstance(node.value, float)]
    found += [(name, node) for name, node in nodes(ast.Call) if getattr(node.func, "id", "") in ("float", "round")]
    assert [(name, node.lineno) for name, node in found if name not in ONLY_TOLD] == []


def test_the_therapy_has_no_clock_and_no_machine():
    """TIM-01, H29: time is a number passed in, so no tick that wraps can be compared in it."""
    names = {alias.name for _, node in nodes(ast.Import) for alias in node.names}
    names |= {node.module for _, node in nodes(ast.ImportFrom)}
    assert names.isdisjoint({"time", "utime", "machine", "rp2", "board", "os", "uos", "_thread"})


def test_only_a_confirmation_changes_a_dose():
    """H40: `rx` is replaced at the confirmation and at power-up; nothing ever writes a dose into one."""
    written = {"rx": set(), "dose": set()}
    for name, node in nodes(ast.Attribute):
        if isinstance(node.ctx, ast.Store):
            if node.attr == "rx":
                written["rx"].add(name)
            elif node.attr in DOSES:
                written["dose"].add(name)
    # core: none yet; intake: confirmed; recovery: what was confirmed before. The others hold copies to decide by.
    assert written["rx"] == {"core.py", "intake.py", "recovery.py"}
    assert written["dose"] <= {"limits.py", "decision.py", "boluses.py"}


def test_one_place_feeds_the_watchdogs():
    """WDG-01: the main loop, through its driver; nothing in the therapy, no other driver, no interrupt."""
    feeding = set()
    for path in [*FIRMWARE.glob("*.py"), *PUMP, *FIRMWARE.glob("drivers/*.py"), *FIRMWARE.glob("boards/*.py")]:
        calls = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        if any(getattr(call, "attr", "") == "feed" for call in calls):
            feeding.add(path.relative_to(FIRMWARE).as_posix())
    assert feeding == {"main.py", "drivers/watchdog.py"}


def test_ticks_are_only_compared_by_their_difference():
    """H29: `ticks_ms` wraps; outside `pump/` it is read into a variable or given to `ticks_diff`."""
    compared = []
    for path in [FIRMWARE / "main.py", *sorted((FIRMWARE / "drivers").glob("*.py"))]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, (ast.Compare, ast.BinOp)):
                sides = [node.left, *node.comparators] if isinstance(node, ast.Compare) else [node.left, node.right]
                names = [getattr(getattr(side, "func", None), "attr", "") for side in sides]
                if "ticks_ms" in names or "ticks_us" in names:
                    compared.append((path.name, node.lineno))
    assert compared == []
