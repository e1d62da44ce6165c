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


def _constants(tree):
    """Names that `const` makes in a module, with their values."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and isinstance(node.targets[0], ast.Name):
            call = node.value
            if getattr(call.func, "id", "") == "const" and isinstance(call.args[0], ast.Constant):
                found[node.targets[0].id] = call.args[0].value
    return found


def _is_constant(node, constants):
    if isinstance(node, ast.Tuple):
        return all(_is_constant(element, constants) for element in node.elts)
    if isinstance(node, ast.UnaryOp):
        node = node.operand
    return isinstance(node, ast.Constant) or isinstance(node, ast.Name) and node.id in constants


def test_no_constant_tuple_holds_an_int_that_is_frozen_as_an_object():
    """NUM-02: mpy-tool freezes an int past 8191 in a constant tuple as an object, and its results are objects, too."""
    found = []
    for path in [*FIRMWARE.glob("*.py"), *PUMP, *FIRMWARE.glob("drivers/*.py"), *FIRMWARE.glob("boards/*.py")]:
        tree = ast.parse(path.read_text())
        constants = _constants(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.Tuple) and _is_constant(node, constants):
                values = [
                    constants.get(getattr(element, "id", ""), getattr(element, "value", 0)) for element in node.elts
                ]
                if any(isinstance(value, int) and not -0x2000 <= value <= 0x1FFF for value in values):
                    found.append(f"{path.name}:{node.lineno}")
    assert found == []
