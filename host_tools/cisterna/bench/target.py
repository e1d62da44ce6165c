"""The interface of a target: one pump in one simulated world, against which scenarios and tests run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any


class TargetError(Exception):
    """The bench failed (absent, died, hangs); this says nothing about the pump."""


class Target(ABC):
    """A pump on a bench. Time is world time, ms since the first power-up; only `run_until` and `exchange` advance it.

    Use as a context manager, or call `close()`.

    name    as in `--target`
    now_ms  current time
    """

    name: str
    now_ms: int

    @abstractmethod
    def start(self, config: Mapping[str, Any]) -> None:
        """Build the world and switch the pump on at time 0. No firmware has run yet.

        config, all optional: seed, ticks_at_power_up_ms, rtc_unix_s, fram_image {address: hex},
        vault_image (hex of the first bytes of the vault's region), pump {keys of a scenario's [pump]}, drug,
        concentration_ug_per_ml, heap_bytes. ValueError names the key that is wrong; TargetError if started before.
        """

    @abstractmethod
    def run_until(self, t_ms: int) -> None:
        """Run until time `t_ms`, up to but not including what is due at that instant. ValueError if it has passed."""

    @abstractmethod
    def act(self, do: str, **keys: Any) -> None:
        """Perform the scenario action `do` now. ValueError names the action or key that is wrong."""

    @abstractmethod
    def send(self, line: bytes) -> None:
        """Begin to send `line`, with its end of line, to the pump now."""

    @abstractmethod
    def exchange(self, line: bytes, timeout_ms: int = 5000) -> bytes:
        """Send `line` now, and run until the pump's next whole line has arrived. Returns it with its end of line.

        TimeoutError after `timeout_ms` of world time.
        """

    @abstractmethod
    def lines(self) -> list[bytes]:
        """Take the lines from the pump that no `exchange` returned, oldest first."""

    @abstractmethod
    def truth(self) -> dict[str, Any]:
        """The true state now, from the world, not from the firmware. Changes nothing."""

    def look(self) -> dict[str, Any]:
        """What a person sees and hears: display picture, lights, sounds. Empty if the bench cannot observe them."""
        return {}

    @abstractmethod
    def close(self) -> None:
        """Switch off and free everything. May be called twice."""

    def __enter__(self) -> Target:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
