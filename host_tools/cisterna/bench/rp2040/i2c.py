"""Connects the world's I2C chips (whole transactions) to the emulated chip's I2C controllers (timed bytes)."""

from __future__ import annotations

from typing import Any

from rp2040py.peripherals import i2c as controller

_BITS = 9  # eight and the acknowledge
_CYCLE_NS = 8
_AHEAD = 32  # bytes read from a chip of the world at once
# Registers that the CPU polls while a byte is on its way (RP2040 data sheet 4.3.17).
_POLLED = (controller.IC_RAW_INTR_STAT, controller.IC_STATUS, controller.IC_TXFLR, controller.IC_RXFLR)


class BusMaster:
    """Controller `index`. `wire(bus)` connects the world's bus; without a bus no address is acknowledged.

    before, after  called around each access to a chip of the world: synchronise its time, reschedule its alarms
    """

    def __init__(self, mcu: Any, index: int):
        self._clock = mcu.clock
        self._i2c = i2c = mcu.i2c[index]
        self._bus: Any = None
        self._chip: Any = None
        self._written = bytearray()
        self._reading = False
        self._read = bytearray()
        self._taken = 0
        self._start_pointer: int | None = None
        self._reply: Any = None
        self._byte_over = self._clock.create_alarm(self._over)
        self._over_ns = 0.0
        self.before = self.after = lambda: None
        i2c.on_connect = self._connect
        i2c.on_write_byte = self._write_byte
        i2c.on_read_byte = self._read_byte
        i2c.on_stop = self._stop
        self._look = i2c.read_uint32
        i2c.read_uint32 = self._poll
        self._give_up = i2c._abort
        i2c._abort = self._abort

    def wire(self, bus: Any) -> None:
        self._bus = bus

    def reset(self) -> None:
        """The CPU was reset, perhaps within a transfer: bytes that were clocked out have arrived."""
        self._byte_over.cancel()
        self._reply = None
        self._end_transaction()

    # -- the bus, byte by byte

    def _connect(self, address: int, mode: int) -> None:
        self._end_transaction()
        try:
            self._chip = self._bus.chip(address) if self._bus else None
        except OSError:
            self._chip = None
        self._reading = mode == controller.I2CMode.READ
        self._start_pointer = getattr(self._chip, "pointer", None)
        self._after_byte(lambda: self._i2c.complete_connect(self._chip is not None))

    def _write_byte(self, value: int) -> None:
        self._written.append(value)
        self._after_byte(lambda: self._i2c.complete_write(True))

    def _read_byte(self, _more: bool) -> None:
        if self._taken == len(self._read):
            self._fetch()
        value = self._read[self._taken] if self._taken < len(self._read) else 0xFF
        self._taken += 1
        self._after_byte(lambda: self._i2c.complete_read(value))

    def _fetch(self) -> None:
        ahead = bytearray(_AHEAD)
        self.before()
        self._chip.read_into(ahead)
        self.after()
        self._read += ahead

    def _stop(self) -> None:
        self._end_transaction()
        self._i2c.complete_stop()

    def _end_transaction(self) -> None:
        """Pass a write to the world's chip as a whole; after a read, set its pointer to the bytes really read."""
        chip, self._chip = self._chip, None
        if chip is None:
            return
        if self._reading:
            if self._start_pointer is not None and chip.pointer != self._start_pointer:
                chip.pointer = self._start_pointer + self._taken
        elif self._written:
            data = bytes(self._written)
            self.before()
            chip.write(data)
            self.after()
        self._written.clear()
        self._read.clear()
        self._taken = 0

    def _abort(self, reason: int) -> None:
        """A byte that is not acknowledged empties the FIFO; the emulator does not set the interrupt for it."""
        self._give_up(reason)
        self._i2c._set_interrupts(controller.R_TX_EMPTY)

    # -- time

    def _after_byte(self, reply: Any) -> None:
        self._reply = reply
        period_ns = (self._i2c.scl_high_period + self._i2c.scl_low_period) * _CYCLE_NS
        self._over_ns = self._clock.nanos + _BITS * period_ns
        self._byte_over.schedule(_BITS * period_ns)

    def _over(self) -> None:
        reply, self._reply = self._reply, None
        if reply:
            reply()

    def _poll(self, offset: int) -> int:
        """The CPU polls for the end of a byte: advance the clock to it, which saves the polling loop."""
        if self._reply is not None and offset in _POLLED:
            self._clock.tick(max(0.0, self._over_ns - self._clock.nanos))
        return self._look(offset)
