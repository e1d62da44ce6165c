"""The simulated board in real time: its UART is a pseudo-terminal, its keys are words on standard input."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from cisterna import paths
from cisterna.bench import terminal
from cisterna.bench.cable import Cable
from cisterna.bench.state_file import StateFile
from cisterna.bench.target import TargetError
from cisterna.bench.unix_target import UnixTarget

_SLICE_S = 0.02  # real time between two looks at the port
_BUSY_S = 0.002  # while somebody talks
_TALK_S = 0.2  # how long after a byte somebody counts as talking
_CHECK_S = 1.0
_LONGEST_S = 0.5  # of real time made up for in one stride; where this computer is slower, the pump loses it


class LiveUnix:
    """The pump in a simulated world. `serve` runs it; TargetError when the firmware ends with an error of its own.

    config  what the world is built from, as of `Target.start`
    state   keeps FRAM, flash and mechanics for the next time, or None; it wins over the config's images
    speed   seconds of the pump in a second
    """

    kind = "unix"
    console: str | None = None
    drive: str | None = None

    def __init__(self, config: Mapping[str, Any], state: StateFile | None = None, speed: float = 1.0):
        self._target = UnixTarget(paths.firmware())
        known = state is not None and not state.is_new
        images = ("fram_image", "vault_image") if known else ()
        self._target.start({key: value for key, value in config.items() if key not in images})
        self._target.keep()
        if known:
            self._target.restore(state.pages(), state.body())
        self._state = state
        self._speed = speed
        self._cable = Cable()
        self.link = self._cable.path
        self._last_body: dict[str, Any] | None = None

    def act(self, do: str, **keys: Any) -> None:
        """A hand at the pump; ValueError names what is wrong with the word."""
        self._target.act(do, **keys)

    def look(self) -> dict[str, Any]:
        return self._target.look()

    def fram(self, address: int, length: int) -> bytes:
        """Bytes of the FRAM, as a programmer's clip on the chip would read them."""
        return self._target.fram(address, length)

    def serve(self, goes_on: Callable[[], bool]) -> None:
        """Runs the pump as long as `goes_on`, which is asked once a turn, says so."""
        cable, target = self._cable, self._target
        zero_s = time.monotonic()  # on the wall, when the pump's world began
        talked_s = checked_s = 0.0
        while goes_on():
            now_s = time.monotonic()
            busy = cable.is_behind or now_s - talked_s < _TALK_S
            listening = [cable.terminal] if cable.can_read() else []
            terminal.wait(_BUSY_S if busy else _SLICE_S, listening, cable.is_open)
            cable.look()
            data = cable.read()
            if data:
                target.send(data)
            now_s = time.monotonic()
            behind_s = now_s - zero_s - target.now_ms / 1000 / self._speed
            if behind_s > _LONGEST_S:
                zero_s += behind_s - _LONGEST_S
            target.run_until(max(target.now_ms, int((now_s - zero_s) * self._speed * 1000)))
            lines = target.lines()
            self._keep()
            cable.write(lines)  # what the pump says is true after a power cut too
            if data or lines:
                talked_s = now_s
            if now_s - checked_s >= _CHECK_S:
                checked_s = now_s
                self._check_alive()

    def _check_alive(self) -> None:
        error = self._target.truth()["firmware_error"]
        if error:
            raise TargetError(f"the firmware ended with an error: {error.strip().splitlines()[-1]}")

    def _keep(self) -> None:
        if self._state is None:
            return
        pages, body = self._target.changes()
        if pages or body != self._last_body:
            self._state.keep(pages, body)
            self._last_body = body

    def close(self) -> None:
        self._target.close()
        self._cable.close()
        if self._state is not None:
            self._state.close()
