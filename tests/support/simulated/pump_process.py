"""A simulated pump in a process of its own, and the command line on its link."""

import atexit
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from cisterna.bench import display_text
from cisterna.pharmacy import keys, provision, signed_files

SERIAL = "CB-0007"
READ_S = 0.6  # for which a page must have been seen before a key counts
TAP_S = 0.4  # of a short press, with the drawing of the next page
MOST_PAGES = 40


class PumpProcess:
    """`cisterna emulate`, with its own folder for the registry of running pumps."""

    def __init__(self, folder: Path, *options: str, board: str = "unix"):
        self.environment = {**os.environ, "XDG_RUNTIME_DIR": str(folder), "COLUMNS": "120"}
        self._command = [sys.executable, "-m", "cisterna", "emulate", "--board", board, "--json", *options]
        self.switch_on()

    def switch_on(self) -> None:
        self.process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=self.environment
        )
        atexit.register(self.process.kill)  # for a test that fails before `end`
        self.announced = json.loads(self.process.stdout.readline())
        self.link = self.announced["link"]

    def hand(self, words: str) -> None:
        """Type a hand command, e.g. `press start 2.5`."""
        self.process.stdin.write(words + "\n")
        self.process.stdin.flush()

    def display(self) -> list[str]:
        self.hand("look")
        return json.loads(self.process.stdout.readline())["display"]

    def turn_pages(self) -> None:
        """Read each page of what waits for START, press START for the next one; the last one stays."""
        wait_until(lambda: "START" in self.display()[-1])
        rows = self.display()
        for _ in range(MOST_PAGES):
            if not display_text.has_next_page(rows):
                return
            time.sleep(READ_S)
            self.hand("press start")
            time.sleep(TAP_S)
            rows = self.display()  # of a slow pump the same page: its next press turns it

    def hold_start(self) -> None:
        """Confirm what waits at the pump, as a person does."""
        self.turn_pages()
        time.sleep(READ_S)
        self.hand("press start 2.5")

    def cut_power(self) -> None:
        """Kill the process, which is a power cut."""
        self.process.kill()
        self._close_pipes()

    def end(self) -> int:
        """End the process by SIGTERM. Returns its exit status."""
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(10)
        return self._close_pipes()

    def _close_pipes(self) -> int:
        self.process.stdin.close()
        self.process.stdout.close()
        return self.process.wait(10)

    def cisterna(self, *arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run(self._of(arguments), capture_output=True, text=True, env=self.environment, timeout=60)

    def start(self, *arguments: str) -> subprocess.Popen:
        """Start a command in the background. SIGINT ends it, also where a shell that ran the tests ignores SIGINT."""
        return subprocess.Popen(
            self._of(arguments),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def output_of(self, *arguments: str) -> str:
        """Standard output of a command that must succeed."""
        ran = self.cisterna(*arguments)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    def status(self) -> dict:
        return json.loads(self.output_of("status", self.link, "--json"))

    def wait(self, seconds: float) -> None:
        """Wait for `seconds` of the pump's clock (an emulated one runs slower). The line must be free."""

        def now_s() -> float:
            state = self.status()["state"]
            return state["mono_s"] + state["mono_ms"] / 1000

        last_s = now_s() + seconds
        wait_until(lambda: now_s() >= last_s, 60)

    def _of(self, arguments: tuple[str, ...]) -> list[str]:
        return [sys.executable, "-m", "cisterna", *arguments]


def wait_until(condition, seconds: float = 20.0):
    """Value of `condition` once it is true. Raises AssertionError after `seconds`."""
    last_s = time.monotonic() + seconds
    while time.monotonic() < last_s:
        held = condition()
        if held:
            return held
        time.sleep(0.1)
    raise AssertionError(f"not within {seconds:g} s")


def write_clinic_files(folder: Path) -> dict[str, str]:
    """Write the files of a clinic with the bench's authority and people. Returns paths by option."""
    bench = keys.bench_keys()
    texts = {"people": provision.bench_people_text(bench), "library": provision.bench_library_text()}
    for kind, text in texts.items():
        signed_files.write(
            folder / f"ward.{kind}", signed_files.signed(kind, text, bench.authority).model_dump(), replace=True
        )
    return {kind: str(folder / f"ward.{kind}") for kind in texts}


def provision_arguments(paths: dict[str, str]) -> list[str]:
    """The arguments of `cisterna provision`."""
    return [
        "unix:", "--serial", SERIAL, "--authority", "bench:authority", "--bench",
        "--people", paths["people"], "--library", paths["library"],
    ]  # fmt: skip
