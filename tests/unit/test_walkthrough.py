"""`firmware/WALKTHROUGH.md` names files and functions: each of them exists."""

import ast
import re
from functools import cache
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = REPOSITORY / "firmware" / "WALKTHROUGH.md"
STEP = re.compile(r"`(desk:)?([\w/]+\.py)`\s+`([\w.]+)`")


@cache
def functions(path):
    """Names of the functions of a file: `function`, `Class.method`."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = set()
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            found.add(node.name)
        elif isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{one.name}" for one in node.body if isinstance(one, ast.FunctionDef)}
    return found


def missing(text):
    """The steps of `text` whose file or function is not there, and the number of all steps."""
    steps = STEP.findall(text)
    gone = []
    for desk, file, function in steps:
        path = REPOSITORY / ("host_tools/cisterna" if desk else "firmware") / file
        if not path.is_file() or function not in functions(path):
            gone.append(f"{file} {function}")
    return gone, len(steps)


def test_every_function_of_the_walks_exists():
    gone, steps = missing(PAGE.read_text(encoding="utf-8"))
    assert gone == []
    assert steps >= 50, "the page has three walks; the pattern no longer finds their steps"


def test_a_function_that_was_renamed_is_found():
    assert missing("`main.py` `Loop.turn` and `main.py` `Loop.no_such`") == (["main.py Loop.no_such"], 2)
    assert missing("`desk:cli.py` `main`, `pump/none.py` `f`") == (["pump/none.py f"], 2)
