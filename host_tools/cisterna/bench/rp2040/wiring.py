"""The world's pins, chips and clock joined to those of the emulated chip."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rp2040py.gpio_pin import GPIOPinState

from cisterna.bench.rp2040.chip import Chip
from cisterna.bench.world.timeline import NEVER
from cisterna.bench.world.wiring import (
    DIR,
    DOOR,
    ENN,
    KEY_ACK,
    KEY_START,
    KEY_STOP,
    LIGHT_GREEN,
    LIGHT_RED,
    LIGHT_YELLOW,
    MOTOR_SUPPLY,
    PCA_NC,
    PCA_NO,
    PIEZO,
    STEP,
    SYRINGE,
    WATCHDOG,
    idle_levels,
)

OUTPUTS = (STEP, DIR, ENN, LIGHT_RED, LIGHT_YELLOW, LIGHT_GREEN, PIEZO, WATCHDOG)
INPUTS = (KEY_START, KEY_STOP, KEY_ACK, PCA_NO, PCA_NC, DOOR, SYRINGE, MOTOR_SUPPLY)
_US_NS = 1000


class WorldClock:
    """The chip's clock is the world's: microseconds, rounded down, and never back."""

    def __init__(self, chip: Chip, timeline: Any, after_fire: Callable[[], None]):
        self._clock = chip.clock
        self._timeline = timeline
        self._after_fire = after_fire
        self._alarm = chip.clock.create_alarm(self._fire)

    def tell(self) -> None:
        """The world hears what time it is."""
        now_us = int(self._clock.nanos) // _US_NS
        if now_us > self._timeline.now_us:
            self._timeline.now_us = now_us

    def aim(self) -> None:
        """The clock calls when the next thing in the world is due."""
        due_us = min(alarm.due_us for alarm in self._timeline.alarms)
        if due_us == NEVER:
            self._alarm.cancel()
        else:
            self._alarm.schedule(max(0.0, due_us * _US_NS - self._clock.nanos))

    def _fire(self) -> None:
        self.tell()
        for alarm in list(self._timeline.alarms):
            if alarm.due_us <= self._timeline.now_us:
                alarm.fire()
        self._after_fire()
        self.aim()


def join_pins(chip: Chip, world: Any, clock: WorldClock) -> None:
    """Outputs of the chip move the world; where nobody drives, the resistors do."""
    idle = idle_levels()

    def listener(pin: int) -> Callable[[GPIOPinState, GPIOPinState], None]:
        def moved(now: GPIOPinState, _before: GPIOPinState) -> None:
            clock.tell()
            if now in (GPIOPinState.HIGH, GPIOPinState.LOW):
                level = int(now == GPIOPinState.HIGH)
                if pin not in world.outputs:
                    world.outputs.append(pin)
            else:
                level = idle[pin]
            world.gpio.drive(pin, level)
            clock.aim()

        return moved

    for pin in OUTPUTS:
        chip.mcu.gpio[pin].add_listener(listener(pin))


def drive_inputs(chip: Chip, world: Any) -> None:
    """The world's levels at the chip's inputs, now and whenever they change."""
    gpio = chip.mcu.gpio
    for pin in INPUTS:
        gpio[pin].set_input_value(bool(world.gpio.levels[pin]))
    world.gpio.on_input = lambda pin, level: gpio[pin].set_input_value(bool(level))
