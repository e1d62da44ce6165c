"""The reference pump around a Raspberry Pi Pico: the drivers on their pins and buses, by `wiring`.

`pico` and `unix` derive from it and add name and build. Construction sets up pins and peripherals but addresses no
chip; `probe` does.
"""

from binascii import hexlify

import machine
import rp2
from drivers.abp2 import ABP2
from drivers.annunciator import Lights, Sound
from drivers.as5600 import AS5600
from drivers.contacts import Contacts
from drivers.display import Display
from drivers.flash_region import FlashRegion
from drivers.fram import FRAM
from drivers.rv3028 import RV3028
from drivers.serial_link import SerialLink
from drivers.ssd1306 import SSD1306
from drivers.stepper import StepGenerator
from drivers.wake import Wake
from drivers.watchdog import Watchdog
from machine import I2C, Pin

from boards import wiring


class PumpBoard:
    """All drivers of the pump. Subclasses define `name`, `build` and `commit`."""

    def __init__(self):
        chips = I2C(wiring.I2C_CHIPS, scl=Pin(wiring.I2C_CHIPS_SCL), sda=Pin(wiring.I2C_CHIPS_SDA), freq=wiring.I2C_HZ)
        line = I2C(wiring.I2C_LINE, scl=Pin(wiring.I2C_LINE_SCL), sda=Pin(wiring.I2C_LINE_SDA), freq=wiring.I2C_HZ)
        self._wake = Wake()
        self._motor_power = Pin(wiring.MOTOR_POWER, Pin.IN)
        self.steps = StepGenerator(
            wiring.STEP_MACHINE,
            step=Pin(wiring.STEP, Pin.OUT, value=0),
            direction=Pin(wiring.DIR, Pin.OUT, value=1),
            enn=Pin(wiring.ENN, Pin.OUT, value=1),
        )
        self.encoder = AS5600(chips)
        self.pressure = ABP2(line)
        self.fram = FRAM(chips)
        self.rtc = RV3028(chips)
        self._display_chip = SSD1306(chips)
        self.display = Display(self._display_chip)
        self.lights = Lights(wiring.LIGHT_MACHINE, red=Pin(wiring.LIGHT_RED))
        self.sound = Sound(wiring.SOUND_MACHINE, piezo=Pin(wiring.PIEZO))
        self.contacts = Contacts(
            (  # in the order of pump.base.contacts
                Pin(wiring.START, Pin.IN, Pin.PULL_UP),
                Pin(wiring.STOP, Pin.IN, Pin.PULL_UP),
                Pin(wiring.ACK, Pin.IN, Pin.PULL_UP),
                Pin(wiring.PCA_NO, Pin.IN, Pin.PULL_UP),
                Pin(wiring.PCA_NC, Pin.IN, Pin.PULL_UP),
                Pin(wiring.DOOR, Pin.IN, Pin.PULL_UP),
                Pin(wiring.SYRINGE, Pin.IN, Pin.PULL_UP),
                Pin(wiring.HOLD, Pin.IN, Pin.PULL_UP),
            ),
            gate=self.steps.gate,
            wake=self._wake,
        )
        log = rp2.Flash(start=wiring.LOG_START, len=wiring.LOG_LENGTH)  # pyright: ignore[reportCallIssue]
        vault = rp2.Flash(start=wiring.VAULT_START, len=wiring.VAULT_LENGTH)  # pyright: ignore[reportCallIssue]
        self.log_flash = FlashRegion(log, self.contacts)
        self.vault_flash = FlashRegion(vault, self.contacts)
        self.link = SerialLink(
            wiring.LINK_UART,
            tx=Pin(wiring.LINK_TX),
            rx=Pin(wiring.LINK_RX),
            baudrate=wiring.LINK_BAUD,
            wake=self._wake,
        )
        self.watchdog = Watchdog(Pin(wiring.WATCHDOG, Pin.OUT, value=0))
        self.wait = self._wake.wait
        self._probed = (
            ("stepper", self.steps),
            ("as5600", self.encoder),
            ("abp2", self.pressure),
            ("fram", self.fram),
            ("rv3028", self.rtc),
            ("ssd1306", self._display_chip),
        )
        self.drivers = tuple(name for name, _ in self._probed) + (
            "display",
            "contacts",
            "annunciator",
            "serial_link",
            "watchdog",
        )

    def probe(self):
        """Test each chip through its driver. List of (name of the driver, True if the chip answers correctly)."""
        return [(name, _passes_probe(driver)) for name, driver in self._probed]

    def motor_power(self):
        """True while the motor has its supply (the external watchdog has not cut it)."""
        return self._motor_power.value() == 1

    def unlock(self):
        """Unlocks the motor after a gate if all edges have been taken, with interrupts off so that none is missed."""
        if not self.steps.locked:
            return  # disable interrupts, among them that of the UART, only if there is something to unlock
        irq = machine.disable_irq()
        if self.contacts.all_taken():
            self.steps.unlock()
        machine.enable_irq(irq)

    def serial(self):
        """Serial number of the CPU, 16 hexadecimal digits."""
        return hexlify(machine.unique_id()).decode()

    def bootloader(self):
        """Starts the boot loader of the CPU, which waits for an image on USB. Does not return.

        The pins become inputs, so the motor has no current, and the external watchdog, no longer fed, cuts its supply.
        """
        machine.bootloader()

    def reset(self):
        """Resets the CPU, as its watchdog does. Does not return."""
        machine.reset()

    def was_watchdog_reset(self):
        """True if the watchdog of the CPU, or `reset`, caused the last reset."""
        return machine.reset_cause() == machine.WDT_RESET


def _passes_probe(driver):
    """Result of the driver's `probe`; False if the chip does not answer."""
    try:
        return driver.probe()
    except OSError:
        return False
