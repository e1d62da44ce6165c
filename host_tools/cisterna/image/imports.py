"""An image imports only what is in it: every import of the firmware is followed before anything is compiled.

So no file of the simulated board or of the bench gets into an image, and none is missed when it runs.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from cisterna.errors import CisternaError
from cisterna.image.frozen import FrozenFile

# What the port has built in, and the firmware may use. `events` is the board's own (firmware/image/events).
THERAPY = frozenset(
    ["array", "binascii", "collections", "events", "framebuf", "gc", "hashlib", "json", "machine", "math"]
    + ["micropython", "struct", "sys", "time"]
)
# The file system of a development board, which only its own start files may know.
DEVELOPMENT = THERAPY | {"os", "vfs"}
BUILT_IN = {"therapy": THERAPY, "development": DEVELOPMENT}


class StrayImport(CisternaError):
    """The firmware imports what is not in the image."""


@dataclass(frozen=True)
class _Import:
    line: int
    module: str
    names: tuple[str, ...] = ()


def check(files: list[FrozenFile], variant: str) -> None:
    """StrayImport with every import, one a line, that neither a frozen file nor a built-in module answers."""
    frozen = {file.name: file for file in files}
    packages = {name.rpartition(".")[0] for name in frozen} - {""}
    problems = []
    for file in files:
        if file.of_port or not file.path.is_file():  # MicroPython's own, or made by the build
            continue
        for found in _imports(file):
            for missed in _missed(found, frozen, packages, BUILT_IN[variant]):
                problems.append(f"{file.path}:{found.line}: imports {missed}, which is not in the {variant} image")
    if problems:
        built_in = ", ".join(sorted(BUILT_IN[variant]))
        raise StrayImport(
            "\n".join([*problems, f"allowed: what firmware/image/manifest.py freezes, and built in: {built_in}"])
        )


def _imports(file: FrozenFile) -> Iterator[_Import]:
    """Every import in a file, wherever it stands: in a function, in a branch that never runs."""
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


def _missed(found: _Import, frozen: dict[str, FrozenFile], packages: set[str], built_in: frozenset[str]) -> list[str]:
    """What of one import is not there."""
    module = found.module
    if module in packages and found.names:  # `from pump import clock`: a file, or a name of the package's own
        own = _own_names(frozen.get(module))
        return [f"{module}.{name}" for name in found.names if f"{module}.{name}" not in frozen and name not in own]
    if module in frozen or module in packages or module in built_in or module == "_rp2":
        return []
    return [module]


def _own_names(package: FrozenFile | None) -> set[str]:
    if package is None or not package.path.is_file():
        return set()
    tree = ast.parse(package.path.read_text())
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
