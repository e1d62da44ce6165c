"""The requirement list and the docstrings of the tests agree.

python tests/test_requirements.py    rows covered, rows not covered, ids that only the firmware names
"""

import ast
import csv
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIST = ROOT / "tests" / "requirements.csv"
COLUMNS = ["id", "text", "source", "decision", "tests"]
NOT_YET = "not yet: "  # in `decision`: what a row asks for beyond what is covered

# How many rows each group has, and how many hazards there are (README.md): LIM-01 to LIM-29, H01 to H44.
ROWS = {
    "DEL": 35, "LIM": 29, "ALM": 32, "ALS": 14, "OCC": 18, "AIR": 5, "RES": 10, "PWR": 9, "WDG": 10, "POST": 6,
    "LIB": 13, "LOG": 14, "RX": 10, "RPL": 7, "SEC": 12, "TIM": 5, "NUM": 7, "COM": 5, "ITH": 10,
}  # fmt: skip
HAZARDS = 44

IDS = [f"{group}-{n:02}" for group in ROWS for n in range(1, ROWS[group] + 1)]
IDS += [f"H{n:02}" for n in range(1, HAZARDS + 1)]
ID = re.compile(rf"\b(?:(?:{'|'.join(ROWS)})-|H)\d\d\b")
SHORTHAND = re.compile(rf"{ID.pattern}(?:\.\.|, ?-\d)")


def listed():
    """Rows of requirements.csv as dicts."""
    with LIST.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def documented(folder):
    """(node id, docstring) of every file, class and function below `folder`; the docstring may be empty."""
    for path in sorted(folder.rglob("*.py")):
        yield from _documented(path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8")))


def _documented(node_id, node):
    yield node_id, ast.get_docstring(node) or ""
    for child in node.body:
        if isinstance(child, (ast.ClassDef, ast.FunctionDef)):
            yield from _documented(f"{node_id}::{child.name}", child)


def is_test(node_id):
    """True for files, classes, tests, and cases that run in MicroPython."""
    name = node_id.split("::")[-1]
    return name.endswith(".py") or name[0].isupper() or name.startswith(("test_", "case_"))


def test_the_list_is_well_formed():
    rows = listed()
    assert list(rows[0]) == COLUMNS
    ids = [row["id"] for row in rows]
    assert sorted(set(ids) - set(IDS)) == [], "no such row or hazard"
    assert ids == [known for known in IDS if known in ids], "each once, in their order"
    for row in rows:
        assert None not in row and all(row[key].strip() for key in ("text", "source", "tests")), row["id"]
        assert all(value == value.strip() for value in row.values()), row["id"]
        said, marker, missing = row["decision"].partition(NOT_YET)
        assert "in part" not in said.lower() and "not yet" not in said.lower(), f"{row['id']}: write `{NOT_YET}`"
        assert not marker or len(missing) > 3, f"{row['id']}: what is missing after `{NOT_YET}`"


def test_every_named_test_exists():
    known = {node_id for node_id, _ in documented(ROOT / "tests") if is_test(node_id)}
    named = {(row["id"], test) for row in listed() for test in row["tests"].split()}
    assert sorted((row, test) for row, test in named if test not in known) == []


def test_the_list_and_the_docstrings_name_the_same():
    in_list = {(row["id"], test) for row in listed() for test in row["tests"].split()}
    in_docstrings = {(found, test) for test, text in documented(ROOT / "tests") for found in ID.findall(text)}
    assert sorted(in_docstrings - in_list) == [], "a docstring names it, the row does not name the test"
    assert sorted(in_list - in_docstrings) == [], "the row names the test, its docstring does not name the row"


def test_ids_are_written_in_full():
    texts = list(documented(ROOT / "tests"))
    assert len(texts) > 1000
    assert [(test, SHORTHAND.search(text)[0]) for test, text in texts if SHORTHAND.search(text)] == []


def main():
    rows = listed()
    hazards = [row for row in rows if row["id"][0] == "H"]
    for what, found, of in (
        ("requirements", [row for row in rows if row not in hazards], sum(ROWS.values())),
        ("hazards", hazards, HAZARDS),
    ):
        partly = sum(NOT_YET in row["decision"] for row in found)
        print(f"{what}: {len(found)} of {of} covered, {partly} of them in part")
    print("tests:", len({test for row in rows for test in row["tests"].split()}))
    ids = {row["id"] for row in rows}
    claimed = {found for _, text in documented(ROOT / "firmware") for found in ID.findall(text)}
    print("not covered:", " ".join(known for known in IDS if known not in ids) or "none")
    print("of these named in the firmware:", " ".join(sorted(claimed - ids)) or "none")


if __name__ == "__main__":
    main()
