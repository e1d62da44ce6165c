"""Rules of the firmware that its source shows: read, not run."""

import ast
from pathlib import Path

import pytest

FIRMWARE = Path(__file__).resolve().parents[2] / "firmware"
PUMP = sorted((FIRMWARE / "pump").rglob("*.py"))
DRIVERS = sorted((FIRMWARE / "drivers").rglob("*.py"))
ALL = [*FIRMWARE.glob("*.py"), *PUMP, *DRIVERS, *sorted((FIRMWARE / "boards").rglob("*.py"))]
ONLY_TOLD = ("link/protocol.py", "panel/screen.py")  # a figure for people may be a fraction
DOSES = ("basal_ug_per_day", "bolus_ug", "lockout_s", "bolus_duration_s")


def nodes(*kinds):
    """(path below `pump/`, node) of each node of these kinds in `pump/` and all its rooms."""
    for path in PUMP:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, kinds):
                yield path.relative_to(FIRMWARE / "pump").as_posix(), node


def test_every_room_of_the_therapy_is_read():
    """The rules below hold for what `nodes` reads: one level of folders alone would hold for nothing and pass."""
    read = {path.relative_to(FIRMWARE / "pump").as_posix() for path in PUMP}
    assert {"controller.py", "base/units.py", "dosing/limits.py", "delivery/motion.py", "link/methods.py"} <= read
    rooms = [folder for folder in (FIRMWARE / "pump").rglob("*") if folder.is_dir() and folder.name != "__pycache__"]
    assert rooms and all(any(path.parent == room for path in PUMP) for room in rooms)
    names = {path.relative_to(FIRMWARE).as_posix() for path in ALL}
    assert {"main.py", "drivers/stepper.py", "boards/wiring.py", "pump/dosing/limits.py"} <= names


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
    assert written["rx"] == {"therapy_state.py"}
    assert written["dose"] <= {
        "dosing/limits.py",
        "dosing/bolus_decision.py",
        "dosing/boluses.py",
    }  # copies to decide by
    replacing = {"confirm": set(), "restore_prescription": set()}
    for name, node in nodes(ast.Call):
        if isinstance(node.func, ast.Attribute) and node.func.attr in replacing and _is_therapy(node.func.value):
            replacing[node.func.attr].add(name)
    assert replacing == {"confirm": {"prescription_change.py"}, "restore_prescription": {"recovery.py"}}


def _is_therapy(node):
    """Whether an expression is the therapy, as every part of the pump holds it."""
    return getattr(node, "id", getattr(node, "attr", None)) in ("therapy", "_therapy")


# A file that fills in an object that it has just made, by the name of that object.
MADE_HERE = {
    ("pump/authority/trust.py", "trust"),
    ("pump/dosing/boluses.py", "context"),
    ("pump/prescribing/override.py", "override"),
    ("pump/prescribing/prescription.py", "rx"),
    ("pump/recovery.py", "report"),
}


def foreign_assignments(tree, name):
    """(line, text) of each assignment to an attribute of another object than `self`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            holder = getattr(node.value, "id", None)
            if holder != "self" and (name, holder) not in MADE_HERE:
                yield node.lineno, ast.unparse(node)


def test_a_field_is_changed_by_its_owner_only():
    """An attribute is assigned through `self`: every other part calls the owner's method."""
    found = {}
    for path in [FIRMWARE / "main.py", *PUMP]:
        name = path.relative_to(FIRMWARE).as_posix()
        found[name] = list(foreign_assignments(ast.parse(path.read_text(encoding="utf-8")), name))
    assert {name: lines for name, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    "text", ["self._therapy.needs_rx = True", "t = therapy\nt.needs_rx = True", "ledger.pl_step += 1", "a.b, c = 1, 2"]
)
def test_an_assignment_to_a_foreign_field_is_found(text):
    assert len(list(foreign_assignments(ast.parse(text), "pump/controller.py"))) == 1


def test_work_in_pieces_is_named_so():
    """`base/pieces.py`: a generator, or a function that hands one on, is named `<verb>_in_pieces`; nothing else is."""
    wrong = []
    for name, function in nodes(ast.FunctionDef):
        returned = getattr(function.body[-1], "value", None) if isinstance(function.body[-1], ast.Return) else None
        hands_on = getattr(getattr(returned, "func", None), "attr", "").endswith("_in_pieces")
        is_work = hands_on or any(isinstance(node, (ast.Yield, ast.YieldFrom)) for node in ast.walk(function))
        if function.name.endswith("_in_pieces") != is_work:
            wrong.append(f"{name}:{function.lineno} {function.name}")
    assert wrong == []


def test_one_place_feeds_the_watchdogs():
    """WDG-01: the main loop, through its driver; nothing in the therapy, no other driver, no interrupt."""
    feeding = set()
    for path in ALL:
        calls = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        if any(getattr(call, "attr", "") == "feed" for call in calls):
            feeding.add(path.relative_to(FIRMWARE).as_posix())
    assert feeding == {"main.py", "drivers/watchdog.py"}


def test_ticks_are_only_compared_by_their_difference():
    """H29: `ticks_ms` wraps; outside `pump/` it is read into a variable or given to `ticks_diff`."""
    compared = []
    for path in [FIRMWARE / "main.py", *DRIVERS]:
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
    for path in ALL:
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
