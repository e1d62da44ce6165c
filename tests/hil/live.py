"""A simulated pump in a process of its own, and the command line at its link, as on a desk."""

import atexit
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from cisterna.pharmacy import files, keys, provision

SERIAL = "CB-0007"


class LivePump:
    """`cisterna emulate`, with a folder of its own for what the running pumps tell."""

    def __init__(self, folder: Path, *options: str, board: str = "unix"):
        self.environment = {**os.environ, "XDG_RUNTIME_DIR": str(folder), "COLUMNS": "120"}
        self._command = [sys.executable, "-m", "cisterna", "emulate", "--board", board, "--json", *options]
        self.switch_on()

    def switch_on(self) -> None:
        self.process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=self.environment
        )
        atexit.register(self.process.kill)  # for a test that fails on the way
        self.told = json.loads(self.process.stdout.readline())
        self.link = self.told["link"]

    def say(self, words: str) -> None:
        """Hands."""
        self.process.stdin.write(words + "\n")
        self.process.stdin.flush()

    def display(self) -> list[str]:
        self.say("look")
        return json.loads(self.process.stdout.readline())["display"]

    def cut_power(self) -> None:
        """No program can put anything right on the way."""
        self.process.kill()
        self._let_go()

    def end(self) -> int:
        """As a person would. Its exit status."""
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(10)
        return self._let_go()

    def _let_go(self) -> int:
        self.process.stdin.close()
        self.process.stdout.close()
        return self.process.wait(10)

    def cisterna(self, *arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run(self._of(arguments), capture_output=True, text=True, env=self.environment, timeout=60)

    def start(self, *arguments: str) -> subprocess.Popen:
        """A command that goes on beside."""
        return subprocess.Popen(
            self._of(arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self.environment
        )

    def done(self, *arguments: str) -> str:
        """What a command printed that has to go well."""
        ran = self.cisterna(*arguments)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    def status(self) -> dict:
        return json.loads(self.done("status", self.link, "--json"))

    def wait(self, seconds: float) -> None:
        """So long by the pump's own clock, which an emulated one has slower. Nobody else may keep its line."""

        def now_s() -> float:
            state = self.status()["state"]
            return state["mono_s"] + state["mono_ms"] / 1000

        last_s = now_s() + seconds
        until(lambda: now_s() >= last_s, 60)

    def _of(self, arguments: tuple[str, ...]) -> list[str]:
        return [sys.executable, "-m", "cisterna", *arguments]


def until(condition, seconds: float = 20.0):
    """What `condition` gives once it is true."""
    last_s = time.monotonic() + seconds
    while time.monotonic() < last_s:
        held = condition()
        if held:
            return held
        time.sleep(0.1)
    raise AssertionError(f"not within {seconds:g} s")


def clinic(folder: Path) -> dict[str, str]:
    """The files of a clinic whose authority and people are those of the bench: paths by option."""
    bench = keys.bench_keys()
    texts = {"people": provision.bench_people_text(bench), "library": provision.bench_library_text()}
    for kind, text in texts.items():
        files.write(folder / f"ward.{kind}", files.signed(kind, text, bench.authority).model_dump(), replace=True)
    return {kind: str(folder / f"ward.{kind}") for kind in texts}


def provisioning(paths: dict[str, str]) -> list[str]:
    """The arguments of `cisterna provision`."""
    return [
        "unix:", "--serial", SERIAL, "--authority", "bench:authority", "--bench",
        "--people", paths["people"], "--library", paths["library"],
    ]  # fmt: skip
