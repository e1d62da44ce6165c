"""Target `rp2040`: the real image on an emulated RP2040, in the simulated world."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from cisterna import paths
from cisterna.bench.rp2040.chip import Chip
from cisterna.bench.rp2040.wiring import WorldClock, drive_inputs, join_pins
from cisterna.bench.target import Target, TargetError
from cisterna.bench.world.resets import WatchdogReset
from cisterna.bench.world.settings import checked_vault_image
from cisterna.bench.world.world import WDT_RESET, World

IMAGE = paths.products() / "image" / "cisterna-therapy.uf2"
_MS_NS = 1_000_000
_VAULT_START = 0x0F_0000  # in the flash (firmware/image/README.md)
_EARLY_NS = 500  # runs end early by this, before what is due at the instant; more than the chip's clock can be late
_RETRY_NS = 20_000  # until the next attempt to halt or resume the main program


def find_image(image: Path | None = None) -> Path:
    """The image to run: `image`, that of CISTERNA_IMAGE, or the checkout's. TargetError if the file does not exist."""
    path = Path(image or os.environ.get("CISTERNA_IMAGE") or IMAGE)
    if not path.is_file():
        raise TargetError(f"image: there is no {path}; make it with `make image`, or name one in CISTERNA_IMAGE")
    return path


class Rp2040Target(Target):
    """The pump with its real image on an emulated chip. image: a .uf2, or None; see `find_image`."""

    name = "rp2040"

    def __init__(self, image: Path | None = None):
        self.image = find_image(image)
        self.now_ms = 0
        self.world: Any = None
        self.chip: Any = None

    # -- the interface of a target

    def start(self, config: Mapping[str, Any]) -> None:
        if self.chip:
            raise TargetError("start: this target runs already; make a new one for another run")
        self.world = world = cast("Any", World(dict(config)))
        self.chip = chip = Chip(self.image)
        vault = checked_vault_image(config.get("vault_image", ""))
        chip.mcu.flash[_VAULT_START : _VAULT_START + len(vault)] = vault
        self._uart = chip.mcu.uart[0]
        self._uart.on_line = self._line_arrived
        self._waiting = False
        self._clock = WorldClock(chip, world.timeline, self._boot_if_powered)
        self._halt_alarm = chip.clock.create_alarm(self._halt_main)
        self._resume_alarm = chip.clock.create_alarm(self._resume_main)
        join_pins(chip, world, self._clock)
        for master, bus in zip(chip.buses, world.buses, strict=True):
            master.wire(bus)
            master.before, master.after = self._clock.update_world, self._clock.schedule
        chip.flash.planned_cut = world.planned_cut
        chip.on_watchdog_reset = self._watchdog_reset
        world.on_cpu_stopped = self._cpu_stopped
        world.planned_cut.cut_power = self._cut_at_write
        self._boot_if_powered()
        self._clock.schedule()

    def run_until(self, t_ms: int) -> None:
        if t_ms < self.now_ms:
            raise ValueError(f"run_until: t is {t_ms} ms, but it is {self.now_ms} ms already")
        self.chip.run_until_ns(t_ms * _MS_NS - _EARLY_NS)
        self._reach(t_ms)

    def act(self, do: str, **keys: Any) -> None:
        self._update_world()
        self.world.act(do, **keys)
        if do == "hang":
            self._halt_alarm.schedule(0)
        self._clock.schedule()

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
        self._update_world()
        return self.world.truth()

    def look(self) -> dict[str, Any]:
        self._update_world()
        return self.world.look()

    def close(self) -> None:
        self.chip = None

    # -- time

    def _update_world(self) -> None:
        self._clock.update_world()

    def _reach(self, t_ms: int) -> None:
        self.now_ms = t_ms
        self.world.timeline.now_us = max(self.world.timeline.now_us, t_ms * 1000)

    def _line_arrived(self) -> None:
        if self._waiting:
            self.chip.stop()

    # -- power and resets

    def _boot_if_powered(self) -> None:
        world, chip = self.world, self.chip
        if world.powered and not chip.powered:
            world.boot()
            drive_inputs(chip, world)
            chip.power_on(world.ticks_at_power_up_ms)

    def _watchdog_reset(self) -> None:
        """The chip's watchdog timed out: the pins take their idle levels, and the firmware restarts at once."""
        world = self.world
        self._clock.update_world()
        self._reset_transfers()
        world.stop_cpu(WatchdogReset("watchdog"), WDT_RESET)
        world.boot()
        drive_inputs(self.chip, world)
        self._clock.schedule()

    def _cut_at_write(self, off_for_s: float) -> None:
        self.world.cut_supply(off_for_s)
        self._clock.schedule()

    def _cpu_stopped(self) -> None:
        """The world has cut the supply, or stopped the CPU."""
        if not self.world.powered:
            self._reset_transfers()
            self.chip.power_off()
        self.world.timeline.ending = None

    def _reset_transfers(self) -> None:
        self._halt_alarm.cancel()
        self._resume_alarm.cancel()
        for master in self.chip.buses:
            master.reset()

    # -- action `hang`: the main program is halted

    def _halt_main(self) -> None:
        if not self.chip.halt_main():
            self._halt_alarm.schedule(_RETRY_NS)
            return
        ends_ns = self.world.timeline.hang_until_us * 1000 - self.chip.now_ns
        self._resume_alarm.schedule(max(0.0, ends_ns))

    def _resume_main(self) -> None:
        if not self.chip.resume_main():
            self._resume_alarm.schedule(_RETRY_NS)
