"""The simulated board in real time, with its UART as a pseudo-terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from cisterna import paths
from cisterna.bench import terminal
from cisterna.bench.state_file import StateFile
from cisterna.bench.target import TargetError
from cisterna.bench.uart_port import UartPort
from cisterna.bench.unix_target import UnixTarget

_SLICE_S = 0.02  # poll interval of the port, real time
_BUSY_S = 0.002  # poll interval while bytes are exchanged
_TALK_S = 0.2  # bytes count as being exchanged for this long after the last one
_CHECK_S = 1.0  # interval of the check for an error of the firmware
_LONGEST_S = 0.5  # longest lag behind real time that is caught up; the pump loses a longer one


class LiveUnix:
    """The pump in a simulated world. `serve` runs it; TargetError if the firmware ends with an error.

    config  as in `Target.start`
    state   stores FRAM, flash and mechanics, or None; its contents replace the config's images
    speed   simulated seconds per real second
    """

    kind = "unix"
    console: str | None = None
    drive: str | None = None

    def __init__(self, config: Mapping[str, Any], state: StateFile | None = None, speed: float = 1.0):
        self._target = UnixTarget(paths.firmware())
        known = None if state is None or state.is_new else state
        images = ("fram_image", "vault_image") if known is not None else ()
        self._target.start({key: value for key, value in config.items() if key not in images})
        self._target.keep()
        if known is not None:
            self._target.restore(known.pages(), known.mechanics())
        self._state = state
        self._speed = speed
        self._uart_port = UartPort()
        self.link = self._uart_port.path
        self._last_mechanics: dict[str, Any] | None = None

    def act(self, do: str, **keys: Any) -> None:
        """As `Target.act`."""
        self._target.act(do, **keys)

    def look(self) -> dict[str, Any]:
        return self._target.look()

    def fram(self, address: int, length: int) -> bytes:
        """`length` bytes of the FRAM from `address`, read behind the firmware's back."""
        return self._target.fram(address, length)

    def serve(self, proceed: Callable[[], bool]) -> None:
        """Run the pump while `proceed`, called once per pass of the loop, returns True."""
        port, target = self._uart_port, self._target
        zero_s = time.monotonic()  # real time at zero of the world
        talked_s = checked_s = 0.0
        while proceed():
            now_s = time.monotonic()
            busy = port.is_behind or now_s - talked_s < _TALK_S
            listening = [port.terminal] if port.can_read() else []
            terminal.wait(_BUSY_S if busy else _SLICE_S, listening, port.is_open)
            port.update()
            data = port.read()
            if data:
                target.send(data)
            now_s = time.monotonic()
            behind_s = now_s - zero_s - target.now_ms / 1000 / self._speed
            if behind_s > _LONGEST_S:
                zero_s += behind_s - _LONGEST_S
            target.run_until(max(target.now_ms, int((now_s - zero_s) * self._speed * 1000)))
            lines = target.lines()
            self._keep()
            port.write(lines)  # after `_keep`: what the pump reports is already stored
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
        if pages or body != self._last_mechanics:
            self._state.keep(pages, body)
            self._last_mechanics = body

    def close(self) -> None:
        self._target.close()
        self._uart_port.close()
        if self._state is not None:
            self._state.close()
