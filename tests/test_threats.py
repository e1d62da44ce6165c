"""The threat model names tests that exist, for every threat."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "firmware" / "THREATS.md"
THREAT = re.compile(r"^\| (T\d\d) \|(.*)\|$", re.MULTILINE)
TEST = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")


def threats() -> dict[str, str]:
    return dict(THREAT.findall(PAGE.read_text(encoding="utf-8")))


def test_every_threat_is_shown_by_a_test_that_exists():
    found = threats()
    assert list(found) == [f"T{number:02}" for number in range(1, len(found) + 1)] and len(found) > 10
    for threat, row in found.items():
        named = TEST.findall(row)
        assert named, f"{threat}: names no test"
        for file, name in named:
            path = ROOT / file
            assert path.is_file(), f"{threat}: there is no {file}"
            functions = [node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)]
            tests = [function for function in functions if function.startswith("test_")]
            assert name in tests if name else tests, f"{threat}: there is no {file}::{name}"


def test_every_asset_and_attacker_of_a_threat_is_defined():
    page = PAGE.read_text(encoding="utf-8")
    assets = set(re.findall(r"^\| (A\d) ", page, re.MULTILINE))
    people = set(re.findall(r"^\| ([PLCSD]) ", page, re.MULTILINE))
    for threat, row in threats().items():
        _, who, what, *_ = (cell.strip() for cell in row.split("|"))
        assert set(who.split(", ")) <= people, threat
        assert set(what.split(", ")) <= assets, threat
