"""The mutants of a source file: each is the file with one small fault in it.

A mutant is named by what it changes and where, not by a line number, so that its name outlives edits elsewhere.
"""

import ast
import copy
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType

MODULE = "<module>"
LONGEST = 70  # characters of source text in a name

_COMPARISONS = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_OPERATORS = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitAnd,
}
_CALLS = {"min": "max", "max": "min"}


@dataclass(frozen=True)
class Mutant:
    """One fault. `name` is unique in its file; `index` is its place among the faults of the file as it is now."""

    path: str  # below firmware/pump
    function: str  # qualified name, or <module>
    name: str
    line: int
    index: int


def mutants(path: str, source: str) -> list[Mutant]:
    """All mutants of `source`, in the order of the text."""
    seen: Counter[str] = Counter()
    found = []
    for index, (function, holder, _, _, before, after) in enumerate(_faults(ast.parse(source))):
        name = f"{function}: {_text(before)} -> {_text(after)}"
        seen[name] += 1
        if seen[name] > 1:
            name += f" #{seen[name]}"
        found.append(Mutant(path, function, name, getattr(before, "lineno", getattr(holder, "lineno", 1)), index))
    return found


def compiled(source: str, index: int, filename: str) -> CodeType:
    """The code of `source` with its fault `index` in it."""
    tree = ast.parse(source)
    for number, (_, holder, field, place, _, after) in enumerate(_faults(tree)):
        if number == index:
            if place is None:
                setattr(holder, field, after)
            else:
                getattr(holder, field)[place] = after
            return compile(ast.fix_missing_locations(tree), filename, "exec")
    raise IndexError(f"fault {index}: the file has fewer")


def _text(node: ast.AST) -> str:
    text = "removed" if isinstance(node, ast.Pass) else " ".join(ast.unparse(node).split())
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."


def _faults(tree: ast.Module) -> Iterator[tuple]:
    """(function, holder, field, place in its list or None, node, node in its place) of each fault, in a fixed order."""
    yield from _below(tree, MODULE)


def _below(holder: ast.AST, function: str) -> Iterator[tuple]:
    for field, value in ast.iter_fields(holder):
        if field in ("decorator_list", "returns", "annotation"):
            continue
        for place, node in enumerate(value) if isinstance(value, list) else ((None, value),):
            if not isinstance(node, ast.AST):
                continue
            for after in _instead_of(node):
                yield function, holder, field, place, node, ast.copy_location(after, node)
            if not isinstance(node, ast.Raise):  # whose words are not behaviour
                yield from _below(node, _name_within(node, function))


def _name_within(node: ast.AST, function: str) -> str:
    """The qualified name, as code objects have it, of what lies in `node`."""
    if isinstance(node, ast.ClassDef):
        return node.name
    if isinstance(node, ast.FunctionDef):
        if function == MODULE:
            return node.name
        return (
            f"{function}.{node.name}"
            if function[0].isupper() or function[1:2].isupper()
            else (f"{function}.<locals>.{node.name}")
        )
    return function


def _instead_of(node: ast.AST) -> Iterator[ast.AST]:
    """What may stand in the place of `node`."""
    if isinstance(node, ast.stmt):
        yield from _statements(node)
    elif isinstance(node, ast.Compare):
        for place, operator in enumerate(node.ops):
            other = copy.copy(node)
            other.ops = [*node.ops[:place], _COMPARISONS[type(operator)](), *node.ops[place + 1 :]]
            yield other
    elif isinstance(node, ast.BoolOp):
        yield ast.BoolOp(ast.And() if isinstance(node.op, ast.Or) else ast.Or(), node.values)
        for place in range(len(node.values)):
            rest = node.values[:place] + node.values[place + 1 :]
            yield rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.Not, ast.USub)):
        yield node.operand
    elif isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS and not _is_text(node):
        yield ast.BinOp(node.left, _OPERATORS[type(node.op)](), node.right)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int):
        yield ast.Constant(not node.value if isinstance(node.value, bool) else node.value + 1)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _CALLS:
        yield ast.Call(ast.Name(_CALLS[node.func.id], ast.Load()), node.args, node.keywords)


def _statements(node: ast.stmt) -> Iterator[ast.AST]:
    if isinstance(node, ast.If):
        other = copy.copy(node)
        other.test = ast.copy_location(ast.UnaryOp(ast.Not(), node.test), node.test)
        yield other
    if isinstance(node, ast.AugAssign) and type(node.op) in _OPERATORS:
        yield ast.AugAssign(node.target, _OPERATORS[type(node.op)](), node.value)
    if isinstance(node, (ast.Raise, ast.AugAssign)):
        yield ast.Pass()
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        yield ast.Pass()
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], (ast.Attribute, ast.Subscript)):
        yield ast.Pass()


def _is_text(node: ast.BinOp) -> bool:
    """`"%d" % n`, or a text put beside another."""
    return any(
        isinstance(side, ast.Constant) and isinstance(side.value, (str, bytes)) for side in (node.left, node.right)
    )
