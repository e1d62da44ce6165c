"""What a scenario runs against: one pump in one world, whatever both are made of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any


class TargetError(Exception):
    """The bench itself failed: it is absent, it died, or it hangs. Not a verdict on the pump."""


class Target(ABC):
    """A pump on a bench. Time is the world's, in ms since first power-up; it moves only in `run_until` and
    `exchange`.

    Use as a context manager, or `close()`.
    """

    name: str
    now_ms: int

    @abstractmethod
    def start(self, config: Mapping[str, Any]) -> None:
        """Build the world and switch the pump on at time 0. Nothing has run yet.

        config, all optional: seed, ticks_at_power_up_ms, rtc_unix_s, fram_image {address: hex},
        vault_image (hex of the first bytes of the vault's region), pump {keys of a scenario's [pump]}, drug,
        concentration_ug_per_ml, heap_bytes. ValueError names a key that is wrong.
        """

    @abstractmethod
    def run_until(self, t_ms: int) -> None:
        """Time becomes `t_ms`. Control returns before anything due at that instant happens."""

    @abstractmethod
    def act(self, do: str, **keys: Any) -> None:
        """Do something to the pump, now: a word of the scenario contract. ValueError names what is wrong
        with it.
        """

    @abstractmethod
    def send(self, line: bytes) -> None:
        """Begin to send `line` to the pump now, its end of line included."""

    @abstractmethod
    def exchange(self, line: bytes, timeout_ms: int = 5000) -> bytes:
        """Send `line` now and run until the pump's next whole line is here, which is returned with its end.

        TimeoutError after `timeout_ms` of world time; then that time has passed.
        """

    @abstractmethod
    def lines(self) -> list[bytes]:
        """Take the lines that the pump has sent and no exchange has returned, oldest first."""

    @abstractmethod
    def truth(self) -> dict[str, Any]:
        """What is so now, from the world and never from the firmware. Looking changes nothing."""

    def look(self) -> dict[str, Any]:
        """What a person sees and hears: display picture, lights, sounds. Empty where the bench has no
        eyes.
        """
        return {}

    @abstractmethod
    def close(self) -> None:
        """Switch everything off. May be called twice."""

    def __enter__(self) -> Target:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
