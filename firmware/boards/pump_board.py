"""The reference pump around a Raspberry Pi Pico: which chip hangs on which pin and bus, by `wiring`.

Every board of the pump is this one; `pico` and `unix` say what they are made of. Construction touches no chip but the
pins; `prove` asks each one.
"""

from binascii import hexlify

import machine
import rp2
from drivers.abp2 import ABP2
from drivers.annunciator import Lights, Sound
from drivers.as5600 import AS5600
from drivers.contacts import Contacts
from drivers.display import Display
from drivers.fram import FRAM
from drivers.held_flash import HeldFlash
from drivers.rv3028 import RV3028
from drivers.serial_link import SerialLink
from drivers.ssd1306 import SSD1306
from drivers.stepper import StepGenerator
from drivers.wake import Wake
from drivers.watchdog import Watchdog
from machine import I2C, Pin

from boards import wiring


class PumpBoard:
    """Everything the pump can reach. Subclasses give `name`, `build` and `commit`."""

    def __init__(self):
        chips = I2C(
            wiring.I2C_CHIPS, scl=Pin(wiring.I2C_CHIPS_SCL), sda=Pin(wiring.I2C_CHIPS_SDA), freq=wiring.I2C_HZ
        )
        line = I2C(
            wiring.I2C_LINE, scl=Pin(wiring.I2C_LINE_SCL), sda=Pin(wiring.I2C_LINE_SDA), freq=wiring.I2C_HZ
        )
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
        self._glass = SSD1306(chips)
        self.display = Display(self._glass)
        self.lights = Lights(wiring.LIGHT_MACHINE, red=Pin(wiring.LIGHT_RED))
        self.sound = Sound(wiring.SOUND_MACHINE, piezo=Pin(wiring.PIEZO))
        self.contacts = Contacts(
            (
                Pin(wiring.START, Pin.IN, Pin.PULL_UP),
                Pin(wiring.STOP, Pin.IN, Pin.PULL_UP),
                Pin(wiring.ACK, Pin.IN, Pin.PULL_UP),
                Pin(wiring.PCA_NO, Pin.IN, Pin.PULL_UP),
                Pin(wiring.PCA_NC, Pin.IN, Pin.PULL_UP),
                Pin(wiring.DOOR, Pin.IN, Pin.PULL_UP),
                Pin(wiring.SYRINGE, Pin.IN, Pin.PULL_UP),
            ),
            gate=self.steps.gate,
            wake=self._wake,
        )
        self.log_flash = HeldFlash(rp2.Flash(start=wiring.LOG_START, len=wiring.LOG_LENGTH), self.contacts)
        self.vault_flash = HeldFlash(rp2.Flash(start=wiring.VAULT_START, len=wiring.VAULT_LENGTH), self.contacts)
        self.link = SerialLink(
            wiring.LINK_UART,
            tx=Pin(wiring.LINK_TX),
            rx=Pin(wiring.LINK_RX),
            baudrate=wiring.LINK_BAUD,
            wake=self._wake,
        )
        self.watchdog = Watchdog(Pin(wiring.WATCHDOG, Pin.OUT, value=0))
        self.wait = self._wake.wait
        self._provable = (
            ("stepper", self.steps),
            ("as5600", self.encoder),
            ("abp2", self.pressure),
            ("fram", self.fram),
            ("rv3028", self.rtc),
            ("ssd1306", self._glass),
        )
        self.drivers = tuple(name for name, _ in self._provable) + (
            "display",
            "contacts",
            "annunciator",
            "serial_link",
            "watchdog",
        )

    def prove(self):
        """Ask each chip through its driver. List of (driver, answered as it should)."""
        return [(name, _answers(driver)) for name, driver in self._provable]

    def motor_power(self):
        """True while the motor's supply is there (the external watchdog has not cut it)."""
        return self._motor_power.value() == 1

    def unlock(self):
        """Lets motion start again after a gate, once every edge has been taken; none can fall in between."""
        if not self.steps.locked:
            return  # interrupts are held back, and with them the UART's, only when there is something to unlock
        irq = machine.disable_irq()
        if self.contacts.all_taken():
            self.steps.unlock()
        machine.enable_irq(irq)

    def serial(self):
        """Serial number of the CPU, 16 hexadecimal digits."""
        return hexlify(machine.unique_id()).decode()

    def bootloader(self):
        """Leaves for the boot loader of the CPU, which waits for an image on USB. Does not return.

        The pins let go, so the motor has no current, and nobody feeds the external watchdog, which cuts its supply.
        """
        machine.bootloader()

    def bitten(self):
        """True if the last reset was the CPU's own watchdog."""
        return machine.reset_cause() == machine.WDT_RESET


def _answers(driver):
    try:
        return driver.prove()
    except OSError:
        return False
