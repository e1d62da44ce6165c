"""A PL011 UART (ARM DDI 0183, RP2040 data sheet 4.2): FIFOs, bit times, interrupts, and the wire to the host.

The host sends and receives at HOST_BAUD. The pump's bit time follows from its divisor and the clock that the image has
set; beyond TOLERANCE of the host's, every byte is received wrong on both sides.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from rp2040py.peripherals.peripheral import BasePeripheral

from cisterna.bench.rp2040.clocks import ClockTree

_DR, _RSR, _FR, _IBRD, _FBRD, _LCR_H, _CR, _IFLS, _IMSC, _RIS, _MIS, _ICR = (
    0x00, 0x04, 0x18, 0x24, 0x28, 0x2C, 0x30, 0x34, 0x38, 0x3C, 0x40, 0x44,
)  # fmt: skip
_DMACR = 0x48
_TXFE, _RXFF, _TXFF, _RXFE, _BUSY = 0x80, 0x40, 0x20, 0x10, 0x08
_FEN = 0x10
_UARTEN, _TXE, _RXE = 0x001, 0x100, 0x200
_RX, _TX, _RT, _OE = 0x10, 0x20, 0x40, 0x400
_DEPTH = 32
_LEVELS = (4, 8, 16, 24, 28)  # of 32, by the three bits of IFLS
_BITS = 10  # start, eight data bits, stop
_TIMEOUT_BITS = 32
HOST_BAUD = 921_600
TOLERANCE = 0.025  # of the bit time: half a bit in ten, halved for the error of either side
_GARBLED = 0xA5  # what a byte at a wrong rate is changed by


class Pl011(BasePeripheral):
    """to_pump  bytes that the host has sent and that have not arrived
    lines       lines from the pump: (arrival of the line's end, ns; line)
    on_line     called when a whole line from the pump has arrived
    """

    def __init__(self, rp2040: Any, name: str, irq: int, clocks: ClockTree):
        super().__init__(rp2040, name)
        self._clock = rp2040.clock
        self._irq = irq
        self._clocks = clocks
        self.to_pump: deque[int] = deque()
        self.lines: list[tuple[float, bytes]] = []
        self.on_line: Any = None
        self._part = bytearray()
        self._arrives = self._clock.create_alarm(self._arrived)
        self._leaves = self._clock.create_alarm(self._left)
        self._silent = self._clock.create_alarm(self._timed_out)
        self.reset()

    def reset(self) -> None:
        """Registers as after power-on; bytes of the pump in transit are lost, those of the host arrive."""
        self._rx: deque[int] = deque()
        self._tx: deque[int] = deque()
        self._shifting: int | None = None
        self._ibrd = self._fbrd = self._lcr = self._imsc = self._ris = 0
        self._cr = _TXE | _RXE
        self._ifls = 0b010_010
        self._part.clear()
        for alarm in (self._arrives, self._leaves, self._silent):
            alarm.cancel()
        self.rp2040.set_interrupt(self._irq, False)
        if self.to_pump:
            self._await_byte()

    def send(self, data: bytes) -> None:
        """The host begins to send `data` (may be empty)."""
        idle = not self.to_pump
        self.to_pump.extend(data)
        if idle and data:
            self._await_byte()

    # -- registers

    def read_uint32(self, offset: int) -> int:
        if offset == _DR:
            value = self._rx.popleft() if self._rx else 0
            if len(self._rx) < self._rx_level():
                self._ris &= ~_RX
            if not self._rx:
                self._ris &= ~_RT
                self._silent.cancel()
            self._signal()
            return value
        if offset == _FR:
            flags = 0 if self._tx else _TXFE
            flags |= _TXFF if len(self._tx) >= self._depth() else 0
            flags |= 0 if self._rx else _RXFE
            flags |= _RXFF if len(self._rx) >= self._depth() else 0
            return flags | (_BUSY if self._shifting is not None or self._tx else 0)
        registers = {
            _RSR: 0, _IBRD: self._ibrd, _FBRD: self._fbrd, _LCR_H: self._lcr, _CR: self._cr, _IFLS: self._ifls,
            _IMSC: self._imsc, _RIS: self._ris, _MIS: self._ris & self._imsc, _ICR: 0, _DMACR: 0,
        }  # fmt: skip
        if offset in registers:
            return registers[offset]
        return super().read_uint32(offset)

    def write_uint32(self, offset: int, value: int) -> None:
        if offset == _DR:
            if len(self._tx) < self._depth():
                self._tx.append(value & 0xFF)
                if len(self._tx) > self._tx_level():
                    self._ris &= ~_TX
            self._shift()
        elif offset == _IBRD:
            self._ibrd = value & 0xFFFF
        elif offset == _FBRD:
            self._fbrd = value & 0x3F
        elif offset == _LCR_H:
            self._lcr = value & 0xFF
        elif offset == _CR:
            self._cr = value & 0xFFFF
            self._shift()
        elif offset == _IFLS:
            self._ifls = value & 0x3F
        elif offset == _IMSC:
            self._imsc = value & 0x7FF
        elif offset == _ICR:
            self._ris &= ~self.raw_write_value
        elif offset not in (_RSR, _DMACR):
            super().write_uint32(offset, value)
        self._signal()

    def _signal(self) -> None:
        self.rp2040.set_interrupt(self._irq, bool(self._ris & self._imsc))

    def _depth(self) -> int:
        return _DEPTH if self._lcr & _FEN else 1

    def _rx_level(self) -> int:
        return _LEVELS[min(self._ifls >> 3, 4)] if self._lcr & _FEN else 1

    def _tx_level(self) -> int:
        return _DEPTH - _LEVELS[4 - min(self._ifls & 7, 4)] if self._lcr & _FEN else 0

    def _bit_ns(self) -> float:
        """Time of a bit at the pump's rate; 0 while its clock is off."""
        clock_hz = self._clocks.peripheral_hz
        divisor = max(self._ibrd * 64 + self._fbrd, 64)
        return 16 * divisor / 64 * 1e9 / clock_hz if clock_hz else 0.0

    def _on_wire(self, byte: int) -> int:
        """The byte as the other side receives it."""
        off = abs(self._bit_ns() * HOST_BAUD / 1e9 - 1)
        return byte if off <= TOLERANCE else byte ^ _GARBLED

    # -- from the pump

    def _shift(self) -> None:
        if self._shifting is None and self._tx and self._cr & _UARTEN and self._cr & _TXE and self._bit_ns():
            self._shifting = self._tx.popleft()
            if len(self._tx) == self._tx_level():
                self._ris |= _TX
            self._leaves.schedule(_BITS * self._bit_ns())

    def _left(self) -> None:
        byte, self._shifting = self._shifting, None
        assert byte is not None  # the alarm is set by `_shift` only
        byte = self._on_wire(byte)
        self._part.append(byte)
        if byte == 10:
            self.lines.append((self._clock.nanos, bytes(self._part)))
            self._part.clear()
            if self.on_line:
                self.on_line()
        self._shift()
        self._signal()

    # -- to the pump

    def _await_byte(self) -> None:
        self._arrives.schedule(_BITS * 1e9 / HOST_BAUD)

    def _arrived(self) -> None:
        byte = self.to_pump.popleft()
        if self._cr & _UARTEN and self._cr & _RXE:
            if len(self._rx) < self._depth():
                self._rx.append(self._on_wire(byte))
            else:
                self._ris |= _OE
            if len(self._rx) >= self._rx_level():
                self._ris |= _RX
            self._silent.schedule(_TIMEOUT_BITS * 1e9 / HOST_BAUD)
            self._signal()
        if self.to_pump:
            self._await_byte()

    def _timed_out(self) -> None:
        if self._rx:
            self._ris |= _RT
            self._signal()
