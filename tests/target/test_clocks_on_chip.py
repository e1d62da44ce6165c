"""The emulated chip takes its rates from the clock registers that the image has set."""

import pytest
from cisterna.bench.rp2040.clocks import CRYSTAL_HZ, SYSTEM_HZ
from cisterna.bench.rp2040.uart import HOST_BAUD
from cisterna.bench.target import TargetError
from support.chip.repl import Repl

pytestmark = pytest.mark.target

LINE = b"x" * 999 + b"\n"
OPEN = (
    "import machine\nuart = machine.UART(0, baudrate=%d, tx=machine.Pin(0), rx=machine.Pin(1), rxbuf=2048, txbuf=2048)"
)


@pytest.fixture
def prompt(development):
    prompt = Repl(development)
    yield prompt
    prompt.close()


def _uart(prompt):
    return prompt.target.chip.mcu.uart[0]


def test_the_clocks_are_those_of_the_image(prompt):
    clocks = prompt.target.chip.clocks
    assert (clocks.system_hz, clocks.reference_hz) == (SYSTEM_HZ, CRYSTAL_HZ)
    assert clocks.peripheral_hz == 48_000_000  # so MicroPython's board leaves it: from the PLL of USB


def test_a_line_takes_the_time_of_its_bits(prompt):
    """921,600 baud from 48 MHz is a divisor of 3.25: 923,077 baud, 0.16 % fast."""
    prompt.run(OPEN % HOST_BAUD)
    prompt.run("line = b'x' * 999 + b'\\n'")
    uart, began_ns = _uart(prompt), prompt.target.chip.now_ns
    prompt.run("uart.write(line)")
    prompt.run("import time\ntime.sleep_ms(50)")
    ((ended_ns, line),) = uart.lines
    assert line == LINE
    bits_ns = len(LINE) * 10 * 1e9 / 923_077
    assert bits_ns < ended_ns - began_ns < bits_ns + 5e6  # and up to 5 ms for the prompt to take the statement


def test_a_host_line_takes_the_time_of_the_host(prompt):
    prompt.run(OPEN % HOST_BAUD)
    _uart(prompt).send(LINE)
    sent_ms = len(LINE) * 10 * 1000 / HOST_BAUD
    prompt.target.run_until(prompt.target.now_ms + int(sent_ms) - 1)
    early = int(prompt.run("print(uart.any())"))
    assert early < len(LINE)
    prompt.run("time = __import__('time')\ntime.sleep_ms(5)")
    assert prompt.run(f"print(uart.read() == {LINE!r})").strip() == "True"


def test_the_wrong_baud_rate_is_not_understood(prompt):
    prompt.run(OPEN % 115_200)
    uart = _uart(prompt)
    uart.send(b"hello\n")
    prompt.run("uart.write(b'hello\\n')\nimport time\ntime.sleep_ms(50)")
    assert b"hello" not in bytes(uart._part) + b"".join(line for _, line in uart.lines)
    assert prompt.run("print(uart.read())").strip() not in ("None", repr(b"hello\n"))


def test_an_image_with_another_system_clock_is_refused(prompt):
    with pytest.raises(TargetError, match=r"system clock of 133 MHz; the emulated CPU runs at 125 MHz"):
        prompt.run("import machine\nmachine.freq(133_000_000)\nimport time\ntime.sleep_ms(50)")
