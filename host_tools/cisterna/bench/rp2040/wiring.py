"""Connects the world's pins and clock to those of the emulated chip."""

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
    HOLD,
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
INPUTS = (KEY_START, KEY_STOP, KEY_ACK, PCA_NO, PCA_NC, DOOR, SYRINGE, HOLD, MOTOR_SUPPLY)
_US_NS = 1000


class WorldClock:
    """Keeps the world's time at the chip's: whole microseconds, rounded down, never backwards."""

    def __init__(self, chip: Chip, timeline: Any, after_fire: Callable[[], None]):
        self._clock = chip.clock
        self._timeline = timeline
        self._after_fire = after_fire
        self._alarm = chip.clock.create_alarm(self._fire)

    def update_world(self) -> None:
        """Set the world's time to the chip's."""
        now_us = int(self._clock.nanos) // _US_NS
        if now_us > self._timeline.now_us:
            self._timeline.now_us = now_us

    def schedule(self) -> None:
        """Set the chip's alarm to the world's next alarm."""
        due_us = min(alarm.due_us for alarm in self._timeline.alarms)
        if due_us == NEVER:
            self._alarm.cancel()
        else:
            self._alarm.schedule(max(0.0, due_us * _US_NS - self._clock.nanos))

    def _fire(self) -> None:
        self.update_world()
        for alarm in list(self._timeline.alarms):
            if alarm.due_us <= self._timeline.now_us:
                alarm.fire()
        self._after_fire()
        self.schedule()


def join_pins(chip: Chip, world: Any, clock: WorldClock) -> None:
    """Pass the chip's output levels to the world; a pin that is not driven has its resistor's level."""
    idle = idle_levels()

    def listener(pin: int) -> Callable[[GPIOPinState, GPIOPinState], None]:
        def moved(now: GPIOPinState, _before: GPIOPinState) -> None:
            clock.update_world()
            if now in (GPIOPinState.HIGH, GPIOPinState.LOW):
                level = int(now == GPIOPinState.HIGH)
                if pin not in world.outputs:
                    world.outputs.append(pin)
            else:
                level = idle[pin]
            world.gpio.drive(pin, level)
            clock.schedule()

        return moved

    for pin in OUTPUTS:
        chip.mcu.gpio[pin].add_listener(listener(pin))


def drive_inputs(chip: Chip, world: Any) -> None:
    """Set the chip's inputs to the world's levels, now and at every change."""
    gpio = chip.mcu.gpio
    for pin in INPUTS:
        gpio[pin].set_input_value(bool(world.gpio.levels[pin]))
    world.gpio.on_input = lambda pin, level: gpio[pin].set_input_value(bool(level))
