"""The clock tree: frequencies from the registers that the image has written (RP2040 data sheet 2.15, 2.18).

The emulator's CPU, PIO and I2C run at SYSTEM_HZ. An image that sets another system clock would be shown too fast or too
slow, so `check` refuses it.
"""

from __future__ import annotations

from typing import Any

from rp2040py.peripherals.peripheral import BasePeripheral

from cisterna.bench.target import TargetError

SYSTEM_HZ = 125_000_000
CRYSTAL_HZ = 12_000_000  # of a Pico
_RING_HZ = 6_500_000  # ring oscillator, nominal (2.17)

_CS, _PWR, _FBDIV_INT, _PRIM = 0x0, 0x4, 0x8, 0xC
_LOCK = 1 << 31
_POWERED_DOWN = 0x2D  # PWR at reset: VCO, post-dividers, sigma-delta and PLL are off
_PD, _VCOPD = 0x01, 0x20
_PERI_ENABLED = 1 << 11


class Pll(BasePeripheral):
    """A phase-locked loop on the crystal (2.18). It locks at once."""

    def __init__(self, rp2040: Any, name: str):
        super().__init__(rp2040, name)
        self.reset()

    def reset(self) -> None:
        self._cs, self._pwr, self._fbdiv, self._prim = 1, _POWERED_DOWN, 0, 0x77000

    @property
    def hz(self) -> float:
        """Output frequency; 0 while powered down."""
        refdiv, fbdiv = self._cs & 0x3F, self._fbdiv & 0xFFF
        post = (self._prim >> 16 & 7) * (self._prim >> 12 & 7)
        if self._pwr & (_PD | _VCOPD) or not (refdiv and fbdiv and post):
            return 0.0
        return CRYSTAL_HZ / refdiv * fbdiv / post

    def read_uint32(self, offset: int) -> int:
        registers = {_CS: self._cs | _LOCK, _PWR: self._pwr, _FBDIV_INT: self._fbdiv, _PRIM: self._prim}
        return registers[offset] if offset in registers else super().read_uint32(offset)

    def write_uint32(self, offset: int, value: int) -> None:
        if offset == _CS:
            self._cs = value & 0x13F
        elif offset == _PWR:
            self._pwr = value & 0x2D
        elif offset == _FBDIV_INT:
            self._fbdiv = value & 0xFFF
        elif offset == _PRIM:
            self._prim = value & 0x77000
        else:
            super().write_uint32(offset, value)


class ClockTree:
    """Frequencies of one chip. `registers`: the emulator's clock block; `pll_sys`, `pll_usb`: its PLLs."""

    def __init__(self, registers: Any, pll_sys: Pll, pll_usb: Pll):
        self._registers = registers
        self._pll_sys = pll_sys
        self._pll_usb = pll_usb

    @property
    def reference_hz(self) -> float:
        """clk_ref: ring oscillator, PLL or crystal, over an integer divider."""
        registers = self._registers
        source = (_RING_HZ, self._pll_usb.hz, CRYSTAL_HZ, 0.0)[registers.ref_ctrl & 3]
        return source / ((registers.ref_div >> 8 & 3) or 4)

    @property
    def system_hz(self) -> float:
        """clk_sys, of CPU, PIO, I2C and PWM: clk_ref or another source, over a divider of 24.8 bits."""
        registers = self._registers
        source = self.reference_hz
        if registers.sys_ctrl & 1:
            source = self._auxiliary_hz(registers.sys_ctrl, (self._pll_sys.hz, self._pll_usb.hz, _RING_HZ, CRYSTAL_HZ))
        return source / ((registers.sys_div or 1 << 24) / 256)

    def check(self) -> None:
        """Raises TargetError if the CPU runs from its PLL at another frequency than the emulator's."""
        hz = self.system_hz
        if self._registers.sys_ctrl & 0xE1 == 1 and self._pll_sys.hz and hz != SYSTEM_HZ:
            raise TargetError(f"image: it sets a system clock of {hz / 1e6:g} MHz; the emulated CPU runs at 125 MHz")

    @property
    def peripheral_hz(self) -> float:
        """clk_peri, of UART and SPI; 0 while disabled. It has no divider."""
        control = self._registers.peri_ctrl
        if not control & _PERI_ENABLED:
            return 0.0
        return self._auxiliary_hz(control, (self.system_hz, self._pll_sys.hz, self._pll_usb.hz, _RING_HZ, CRYSTAL_HZ))

    def _auxiliary_hz(self, control: int, sources: tuple[float, ...]) -> float:
        number = control >> 5 & 7
        return sources[number] if number < len(sources) else 0.0
