"""Target `rp2040`: the real image on an emulated RP2040, in the simulated world."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cisterna.bench.rp2040.chip import Chip
from cisterna.bench.rp2040.wiring import WorldClock, drive_inputs, join_pins
from cisterna.bench.target import Target, TargetError
from cisterna.bench.world.resets import WatchdogBite
from cisterna.bench.world.settings import checked_vault_image
from cisterna.bench.world.world import WDT_RESET, World

_ROOT = Path(__file__).resolve().parents[4]
IMAGE = _ROOT / "build" / "image" / "cisterna-therapy.uf2"
_MS_NS = 1_000_000
_VAULT_START = 0x0F_0000  # in the flash (firmware/image/README.md)
_EARLY_NS = 500  # control is back before what is due at the instant: more than the chip's clock can be late
_RETRY_NS = 20_000


def find_image(image: Path | None = None) -> Path:
    """The image to run: the one given, the one in CISTERNA_IMAGE, or the checkout's. TargetError if it is not there."""
    path = Path(image or os.environ.get("CISTERNA_IMAGE") or IMAGE)
    if not path.is_file():
        raise TargetError(f"image: there is no {path}; make it with `make image`, or name one in CISTERNA_IMAGE")
    return path


class Rp2040Target(Target):
    """The pump of the image, as a chip: its pins, buses, UART, flash and watchdog are those of the silicon.

    image: a .uf2; see `find_image`.
    """

    name = "rp2040"

    def __init__(self, image: Path | None = None):
        self.image = find_image(image)
        self.now_ms = 0
        self.world: Any = None
        self.chip: Any = None

    # -- the contract of a target

    def start(self, config: Mapping[str, Any]) -> None:
        if self.chip:
            raise TargetError("start: this target runs already; make a new one for another run")
        self.world = world = World(dict(config))
        self.chip = chip = Chip(self.image)
        vault = checked_vault_image(config.get("vault_image", ""))
        chip.mcu.flash[_VAULT_START : _VAULT_START + len(vault)] = vault
        self._uart = chip.mcu.uart[0]
        self._uart.on_line = self._line_came
        self._waiting = False
        self._clock = WorldClock(chip, world.timeline, self._boot_if_powered)
        self._parking = chip.clock.create_alarm(self._park)
        self._unparking = chip.clock.create_alarm(self._unpark)
        join_pins(chip, world, self._clock)
        for master, bus in zip(chip.buses, world.buses, strict=True):
            master.wire(bus)
            master.before, master.after = self._clock.tell, self._clock.aim
        chip.flash.fuse = world.fuse
        chip.on_bite = self._bitten
        world.cpu_stopped = self._cpu_stopped
        world.fuse.cut_power = self._cut_by_fuse
        self._boot_if_powered()
        self._clock.aim()

    def run_until(self, t_ms: int) -> None:
        if t_ms < self.now_ms:
            raise ValueError(f"run_until: t is {t_ms} ms, but it is {self.now_ms} ms already")
        self.chip.run_until_ns(t_ms * _MS_NS - _EARLY_NS)
        self._reach(t_ms)

    def act(self, do: str, **keys: Any) -> None:
        self._tell()
        self.world.act(do, **keys)
        if do == "hang":
            self._parking.schedule(0)
        self._clock.aim()

    def send(self, line: bytes) -> None:
        self._uart.send(line)

    def exchange(self, line: bytes, timeout_ms: int = 5000) -> bytes:
        before = self._uart.lines
        self._unsolicited = getattr(self, "_unsolicited", []) + before
        self._uart.lines = []
        self._uart.send(line)
        self._waiting = True
        limit_ms = self.now_ms + timeout_ms
        self.chip.run_until_ns(limit_ms * _MS_NS - _EARLY_NS)
        self._waiting = False
        if not self._uart.lines:
            self._reach(limit_ms)
            raise TimeoutError(f"the pump said nothing within {timeout_ms} ms (now {self.now_ms} ms)")
        answer = self._uart.lines.pop(0)[1]
        self.run_until(min(limit_ms, int(self.chip.now_ns) // _MS_NS + 1))
        return answer

    def lines(self) -> list[bytes]:
        entries = getattr(self, "_unsolicited", []) + self._uart.lines
        self._unsolicited, self._uart.lines = [], []
        return [line for _, line in entries]

    def truth(self) -> dict[str, Any]:
        self._tell()
        return self.world.truth()

    def look(self) -> dict[str, Any]:
        self._tell()
        return self.world.look()

    def close(self) -> None:
        self.chip = None

    # -- time

    def _tell(self) -> None:
        self._clock.tell()

    def _reach(self, t_ms: int) -> None:
        self.now_ms = t_ms
        self.world.timeline.now_us = max(self.world.timeline.now_us, t_ms * 1000)

    def _line_came(self) -> None:
        if self._waiting:
            self.chip.stop()

    # -- power and resets

    def _boot_if_powered(self) -> None:
        world, chip = self.world, self.chip
        if world.powered and not chip.powered:
            world.boot()
            drive_inputs(chip, world)
            chip.power_on(world.ticks_at_power_up_ms)

    def _bitten(self) -> None:
        """The chip's watchdog: the pins let go, and the firmware begins anew at once."""
        world = self.world
        self._clock.tell()
        self._forget_transfers()
        world.end_cpu(WatchdogBite("watchdog"), WDT_RESET)
        world.boot()
        drive_inputs(self.chip, world)
        self._clock.aim()

    def _cut_by_fuse(self, off_for_s: float) -> None:
        self.world._cut_supply(off_for_s)
        self._clock.aim()

    def _cpu_stopped(self) -> None:
        """The world took the supply away."""
        if not self.world.powered:
            self._forget_transfers()
            self.chip.power_off()
        self.world.timeline.ending = None

    def _forget_transfers(self) -> None:
        self._parking.cancel()
        self._unparking.cancel()
        for master in self.chip.buses:
            master.reset()

    # -- a main loop that hangs

    def _park(self) -> None:
        if not self.chip.park():
            self._parking.schedule(_RETRY_NS)
            return
        ends_ns = self.world.timeline.deaf_until_us * 1000 - self.chip.now_ns
        self._unparking.schedule(max(0.0, ends_ns))

    def _unpark(self) -> None:
        if not self.chip.unpark():
            self._unparking.schedule(_RETRY_NS)
