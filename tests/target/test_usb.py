"""The USB cable of the emulated chip: the console of a development image, in the chip's own time."""

import pytest
from cisterna.bench.rp2040.chip import Chip
from cisterna.bench.rp2040.usb import UsbHost

pytestmark = pytest.mark.target
MS = 1_000_000
UP_MS = 1_500


class Console:
    """A board without a file system, which stands at its prompt."""

    def __init__(self, image):
        self.chip = Chip(image)
        self.host = UsbHost(self.chip)
        self.chip.power_on()
        self.run(UP_MS)

    def run(self, ms: int) -> bytes:
        self.chip.run_until_ns(self.chip.now_ns + ms * MS)
        return self.host.take()

    def say(self, text: str, ms: int = 100) -> bytes:
        self.host.send(text.encode())
        return self.run(ms)


@pytest.fixture(scope="module")
def shared(development):
    return Console(development)


@pytest.fixture
def console(shared):
    shared.say("\x03\x02\r")
    return shared


def test_a_prompt_answers(console):
    assert b"\r\n42\r\n>>> " in console.say("print(6 * 7)\r")


def test_all_bytes_arrive_in_order_and_are_answered(console):
    """More than the board takes at once, and more than it has room for."""
    said = "".join(map(str, range(1200)))
    console.say("\x01")
    told = console.say(f"x = '{said}'\nprint(x)\x04", 1_000)
    assert told.startswith(b"OK" + said.encode()) and not console.host.unsent


def test_waiting_for_the_host_costs_no_instructions(console):
    before = console.chip.mcu.core.cycles
    console.say("import time; time.sleep_ms(10_000)\r", 10_100)
    assert (console.chip.mcu.core.cycles - before) * 8 < 200 * MS  # of ten seconds


def test_a_reset_chip_enumerates_again(console):
    console.say("import machine; machine.reset()\r", 10)
    assert not console.host.connected
    console.run(UP_MS)
    assert console.host.connected and console.say("print(6 * 7)\r").endswith(b"42\r\n>>> ")


def test_output_without_a_host_is_lost(development):
    chip = Chip(development)
    host = UsbHost(chip)
    host.send(b"print(1)\r")
    assert not host.connected and not host.unsent


def test_a_cable_is_pulled_and_put_in_again(console):
    console.host.unplug()
    before = console.chip.mcu.core.cycles
    console.run(1_000)
    assert not console.host.connected and (console.chip.mcu.core.cycles - before) * 8 < 100 * MS  # and no storm
    console.host = UsbHost(console.chip)
    console.run(200)
    assert console.host.connected and b"42" in console.say("print(6 * 7)\r")


def test_output_to_a_closed_port_is_lost(console):
    console.host.set_dtr(False)
    for _ in range(5):
        console.host.set_dtr(True)
        console.host.set_dtr(False)  # each waits for the one before
    assert console.say("print(6 * 7)\r", 500) == b""
    console.host.set_dtr(True)
    assert b"49" in console.say("\rprint(7 * 7)\r", 500)


def test_a_therapy_image_is_no_usb_device(therapy):
    chip = Chip(therapy)
    host = UsbHost(chip)
    chip.power_on()
    chip.run_until_ns(UP_MS * MS)
    assert not host.connected and host.take() == b""
