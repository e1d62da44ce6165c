"""The mutation tool: its faults are in the code that runs, and what is explained is there."""

import importlib.util

import pytest

from mutation import mutants as tool
from mutation.mutations import compiled, mutants

SOURCE = '''
LIMIT = 4


class Pump:
    def fits(self, a, b):
        """Docstring 1."""
        if a < b and not self.full:
            self.note("%d left" % a)
            self.left -= a
            return min(a, b)
        raise ValueError("no %d" % 3)
'''


def namespace(index):
    found = {}
    exec(compiled(SOURCE, index, "pump.py"), found)
    return found


def test_each_kind_of_fault_is_made():
    names = [mutant.name for mutant in mutants("pump.py", SOURCE)]
    wanted = [
        "<module>: 4 -> 5",
        "Pump.fits: a < b -> a <= b",
        "Pump.fits: a < b and (not self.full) -> a < b or not self.full",
        "Pump.fits: a < b and (not self.full) -> a < b",
        "Pump.fits: not self.full -> self.full",
        "Pump.fits: self.note('%d left' % a) -> removed",
        "Pump.fits: self.left -= a -> self.left += a",
        "Pump.fits: self.left -= a -> removed",
        "Pump.fits: min(a, b) -> max(a, b)",
        "Pump.fits: raise ValueError('no %d' % 3) -> removed",
    ]
    assert [name for name in wanted if name not in names] == [] and len(set(names)) == len(names)
    assert not any("3 -> 4" in name for name in names), "the words of an error are not behaviour"


def test_a_fault_is_in_the_code_that_runs():
    every = {mutant.name: mutant.index for mutant in mutants("pump.py", SOURCE)}
    assert namespace(every["<module>: 4 -> 5"])["LIMIT"] == 5
    pump = namespace(every["Pump.fits: min(a, b) -> max(a, b)"])["Pump"]()
    pump.full, pump.left, pump.note = False, 9, lambda text: None
    assert pump.fits(1, 2) == 2 and pump.left == 8
    with pytest.raises(IndexError):
        compiled(SOURCE, 999, "pump.py")


def test_names_are_unique_in_every_file_of_the_pump():
    """A result and an explanation are kept by name."""
    total = 0
    for path, text in tool.sources().items():
        names = [mutant.name for mutant in mutants(path, text)]
        assert len(set(names)) == len(names), path
        total += len(names)
    assert total > 5000


def test_qualified_names_are_those_of_code_objects():
    """The map of tests names functions as Python does; a mutant whose function is not in it would run no test."""
    text = tool.sources()["dosing/limits.py"]
    spec = importlib.util.find_spec("pump.dosing.limits")
    found = set()

    def collect(code):
        found.add(code.co_qualname)
        for constant in code.co_consts:
            if hasattr(constant, "co_qualname"):
                collect(constant)

    collect(compile(text, spec.origin, "exec"))
    assert {mutant.function for mutant in mutants("dosing/limits.py", text)} <= found


def test_what_is_explained_is_there():
    """A mutant that the source no longer has needs no explanation; `make mutants` finds those that are killed."""
    assert list(tool.faults_of_explanations()) == []


def test_a_wrong_explanation_is_found(tmp_path, monkeypatch):
    text = '[[mutant]]\nfile = "dosing/limits.py"\nchange = "f: a -> b"\nkind = "equivalent"\nwhy = "x"\n'
    (tmp_path / "e.toml").write_text(text + text.replace("why", "who"))
    monkeypatch.setattr(tool, "EXPLAINED", tmp_path / "e.toml")
    faults = list(tool.faults_of_explanations())
    assert any("no such mutant" in fault for fault in faults) and any("allowed: file, change" in f for f in faults)
    assert any("twice" in fault for fault in faults)


def test_a_module_is_used_by_those_that_import_it():
    users = tool.importers(tool.sources())
    assert {"dosing/limits.py", "dosing/boluses.py", "dosing/bolus_decision.py"} <= users["dosing/limits.py"]
    assert "controller.py" not in users["dosing/limits.py"]
