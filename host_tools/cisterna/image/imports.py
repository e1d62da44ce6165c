"""Checks, before a build, that every import of the firmware is answered by the image.

So an image cannot depend on a file of the simulated board or the bench, and no import fails on the board.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from cisterna.errors import CisternaError
from cisterna.image.frozen import FrozenFile

# Built-in modules that the firmware may import. `events` is a C module of this board (firmware/image/events).
THERAPY = frozenset(
    ["array", "binascii", "collections", "events", "framebuf", "gc", "hashlib", "json", "machine", "math"]
    + ["micropython", "struct", "sys", "time"]
)
# With the file system of a development board.
DEVELOPMENT = THERAPY | {"os", "vfs"}
BUILT_IN = {"therapy": THERAPY, "development": DEVELOPMENT}


class StrayImport(CisternaError):
    """The firmware imports a module that is not in the image."""


@dataclass(frozen=True)
class _Import:
    line: int
    module: str
    names: tuple[str, ...] = ()


def check(files: list[FrozenFile], variant: str) -> None:
    """Raise StrayImport, with one line for each import that neither a frozen file nor a built-in module answers."""
    frozen = {file.name: file for file in files}
    packages = {name.rpartition(".")[0] for name in frozen} - {""}
    problems = []
    for file in files:
        if file.of_port or not file.path.is_file():  # MicroPython's own, or made by the build
            continue
        for found in _imports(file):
            for name in _unresolved(found, frozen, packages, BUILT_IN[variant]):
                problems.append(f"{file.path}:{found.line}: imports {name}, which is not in the {variant} image")
    if problems:
        built_in = ", ".join(sorted(BUILT_IN[variant]))
        raise StrayImport(
            "\n".join([*problems, f"allowed: what firmware/image/manifest.py freezes, and built in: {built_in}"])
        )


def _imports(file: FrozenFile) -> Iterator[_Import]:
    """Every import in a file, also inside functions and branches. `__import__` counts as one that is not resolved."""
    for node in ast.walk(ast.parse(file.path.read_text(), str(file.path))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield _Import(node.lineno, alias.name)
        elif isinstance(node, ast.ImportFrom):
            package = file.name if file.path.name == "__init__.py" else file.name.rpartition(".")[0]
            for _ in range(node.level - 1):
                package = package.rpartition(".")[0]
            module = ".".join(part for part in (package if node.level else "", node.module or "") if part)
            yield _Import(node.lineno, module, tuple(alias.name for alias in node.names))
        elif isinstance(node, ast.Name) and node.id == "__import__":
            yield _Import(node.lineno, "something by __import__")


def _unresolved(
    found: _Import, frozen: dict[str, FrozenFile], packages: set[str], built_in: frozenset[str]
) -> list[str]:
    """The names of one import that are not in the image."""
    module = found.module
    if module in packages and found.names:  # `from pump import clock`: a module, or a name defined in the package
        own = _own_names(frozen.get(module))
        return [f"{module}.{name}" for name in found.names if f"{module}.{name}" not in frozen and name not in own]
    if module in frozen or module in packages or module in built_in or module == "_rp2":
        return []
    return [module]


def _own_names(package: FrozenFile | None) -> set[str]:
    """Names that a package's `__init__.py` assigns."""
    if package is None or not package.path.is_file():
        return set()
    tree = ast.parse(package.path.read_text())
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
