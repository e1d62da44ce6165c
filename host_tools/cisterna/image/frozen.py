"""Reads MicroPython's manifests: the files that an image freezes. Only include, module and package are supported."""

from dataclasses import dataclass
from pathlib import Path

from cisterna.errors import CisternaError
from cisterna.image.places import Places

PORT = "port"  # stands for the folder of the port if MicroPython is not there


@dataclass(frozen=True)
class FrozenFile:
    """A frozen module: `name` as in an import (`pump.base.clock`), `path` of its source.

    of_port  the file is part of MicroPython's port
    """

    name: str
    path: Path
    of_port: bool = False


def files(places: Places, variant: str, port: Path | None = None) -> list[FrozenFile]:
    """The files of a variant, in the manifest's order. port: folder of MicroPython's rp2 port, if there.

    Raises CisternaError for an unknown variable in a path.
    """
    return _Manifest(places, variant, port or Path(PORT)).read()


class _Manifest:
    def __init__(self, places: Places, variant: str, port: Path):
        self._start = places.manifest(variant)
        self._folders = {"BOARD_DIR": places.board, "CISTERNA_MADE": places.made(variant), "PORT_DIR": port}
        self._found: list[FrozenFile] = []

    def read(self) -> list[FrozenFile]:
        self._execute(self._start)
        return self._found

    def _execute(self, path: Path) -> None:
        words = {
            "include": lambda name: self._execute(path.parent / name),
            "module": self._module,
            "package": self._package,
        }
        exec(compile(path.read_text(), str(path), "exec"), words)

    def _module(self, file: str, base_path: str) -> None:
        self._add(Path(file), base_path)

    def _package(self, name: str, base_path: str, files: tuple[str, ...] = ()) -> None:
        folder = self._folder(base_path) / name
        for file in files or sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.py")):
            self._add(Path(name, file), base_path)

    def _add(self, file: Path, base_path: str) -> None:
        parts = file.with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        self._found.append(FrozenFile(name, self._folder(base_path) / file, "$(PORT_DIR)" in base_path))

    def _folder(self, base_path: str) -> Path:
        for name, folder in self._folders.items():
            base_path = base_path.replace(f"$({name})", str(folder))
        if "$(" in base_path:
            raise CisternaError(f"{self._start.name}: {base_path}; allowed: {', '.join(self._folders)}")
        return Path(base_path).resolve()
