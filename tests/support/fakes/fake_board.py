"""`machine`, `rp2` and related modules for the drivers in CPython: pins, buses and FIFOs that a test can read.

Time is virtual: `Clock.now_us` moves when a driver sleeps or idles, or a test moves it; state machines run with it.
"""

import sys
from types import ModuleType, SimpleNamespace

from support.fakes.pio_interpreter import Machine, Program


class Clock:
    """Virtual microseconds, the state machines that run in them, and interrupts to come."""

    def __init__(self):
        self.now_us = 0
        self.machines = []
        self.interrupts = []

    def run(self, us):
        """Move time on by `us`; state machines at 1 MHz run a cycle a microsecond."""
        for _ in range(us):
            for machine in self.machines:
                machine.cycle_now()
        self.now_us += us

    def wait_ms(self, ms):
        """Asleep until an interrupt, which a test has put into `interrupts` as (us, callable), or for `ms`."""
        until_us = self.now_us + ms * 1000
        if self.interrupts and self.interrupts[0][0] <= until_us:
            self.now_us, handler = self.interrupts.pop(0)
            handler()
        else:
            self.now_us = until_us


class Pin:
    IN, OUT, PULL_UP = 0, 1, 2
    IRQ_FALLING, IRQ_RISING = 4, 8

    def __init__(self, number, mode=-1, pull=-1, value=None):
        self.number = number
        self.level = value or 0
        self.handler = None
        self.hard = False

    def value(self, level=None):
        if level is None:
            return self.level
        self.level = level

    def irq(self, handler, trigger, hard=False):
        assert trigger == Pin.IRQ_FALLING | Pin.IRQ_RISING
        self.handler = handler
        self.hard = hard
        return self

    def flags(self):
        """Of the irq object: the edges that the interrupt stands for."""
        return self.edges

    def drive(self, *levels):
        """The world moves this input; to several levels while interrupts are off."""
        self.edges = 0
        for level in levels:
            if level != self.level:
                self.level = level
                self.edges |= Pin.IRQ_RISING if level else Pin.IRQ_FALLING
        if self.edges:
            self.handler(self)


class Bus:
    """An I2C bus. Chips by address, objects with `write(data)` and `read(size)`; an absent one is a NACK."""

    def __init__(self, chips):
        self.chips = chips
        self.transfers = []

    def _chip(self, address):
        if address not in self.chips:
            raise OSError(5)
        return self.chips[address]

    def writeto(self, address, data):
        self.transfers.append((address, bytes(data)))
        self._chip(address).write(bytes(data))

    def readfrom_into(self, address, buffer):
        buffer[:] = self._chip(address).read(len(buffer))

    def writeto_mem(self, address, register, data, addrsize=8):
        self.writeto(address, register.to_bytes(addrsize // 8, "big") + bytes(data))

    def readfrom_mem_into(self, address, register, buffer, addrsize=8):
        self.writeto(address, register.to_bytes(addrsize // 8, "big"))
        self.readfrom_into(address, buffer)


class Registers:
    """A chip that is memory behind an address of `width` bytes."""

    def __init__(self, size=256, width=1):
        self.memory = bytearray(size)
        self._width = width
        self._at = 0

    def write(self, data):
        self._at = int.from_bytes(data[: self._width], "big")
        for byte in data[self._width :]:
            self.memory[self._at] = byte
            self._at += 1

    def read(self, size):
        return self.memory[self._at : self._at + size]


class Uart:
    """Bytes both ways: `incoming` is what the host has sent. `stuck`: what is written stays in the buffer."""

    IRQ_RXIDLE = 1
    made = None

    def __init__(self, uart_id, **options):
        self.incoming = bytearray()
        self.sent = bytearray()
        self.in_flight = 0
        self.stuck = False
        self.options = options
        Uart.made = self

    def irq(self, handler, trigger):
        self.handler = handler

    def any(self):
        return min(len(self.incoming), self.options["rxbuf"])

    def readinto(self, buffer):
        size = min(self.any(), len(buffer))
        buffer[:size] = self.incoming[:size]
        del self.incoming[:size]
        return size or None

    def txdone(self):
        return not self.stuck

    def write(self, data):
        """As the chip without a timeout: takes what fits into the transmit buffer, and returns None for nothing."""
        assert self.options["timeout"] == 0, "this write would wait"
        if not self.stuck:
            self.in_flight = 0
        taken = min(len(data), self.options["txbuf"] - self.in_flight)
        self.in_flight += taken
        self.sent += data[:taken]
        return taken or None


def modules():
    """Name -> module, all that the drivers import; `clock` of module `machine` drives them."""
    clock = Clock()

    class WDT:
        def __init__(self, timeout):
            self.timeout = timeout
            self.fed = 0
            machine.watchdogs.append(self)

        def feed(self):
            self.fed += 1

    class StateMachine:
        """The program is really run, cycle by cycle, while the clock runs."""

        def __init__(self, machine_id, program=None, **options):
            self.on = False
            self.edges = []  # (us, level of the pins)
            clock.machines.append(self)
            if program:
                self.init(program, **options)

        def init(self, program, freq, **bases):
            self.core = Machine(program)
            self.freq = freq
            self.on = False

        def cycle_now(self):
            if self.on:
                before = self.core.pins
                self.core.step()
                if self.core.pins != before:
                    self.edges.append((clock.now_us, self.core.pins))

        def active(self, on):
            self.on = bool(on)

        def put(self, value):
            for word in [value] if isinstance(value, int) else value:
                assert len(self.core.tx) < 4, "this put would wait"
                self.core.tx.append(word)

        def get(self, buffer):
            assert self.core.rx, "this get would wait"
            word = self.core.rx.popleft()
            buffer[0] = word - (1 << 32) if word >> 31 else word

        def exec(self, word):
            assert self.core.execute(word) is None

        def restart(self):
            self.core.restart()

        def tx_fifo(self):
            return len(self.core.tx)

        def rx_fifo(self):
            return len(self.core.rx)

    class FrameBuffer:
        """Draws a character as its code in eight columns."""

        def __init__(self, buffer, width, height, form):
            self.buffer = buffer

        def fill(self, level):
            self.buffer[:] = bytes([0xFF * level]) * len(self.buffer)

        def text(self, text, x, y):
            for i, byte in enumerate(text.encode()[: len(self.buffer) // 8]):
                self.buffer[8 * i : 8 * i + 8] = bytes([byte]) * 8

    machine = ModuleType("machine")
    machine.clock = clock
    machine.watchdogs = []
    machine.irqs_off = 0

    def disable_irq():
        machine.irqs_off += 1
        return machine.irqs_off

    def enable_irq(state):
        assert state == machine.irqs_off
        machine.irqs_off -= 1

    vars(machine).update(
        Pin=Pin,
        UART=Uart,
        WDT=WDT,
        disable_irq=disable_irq,
        enable_irq=enable_irq,
    )
    rp2 = ModuleType("rp2")
    rp2.PIO = SimpleNamespace(OUT_LOW=2, SHIFT_RIGHT=1)
    rp2.asm_pio = lambda **options: lambda function: Program(function, options)
    rp2.StateMachine = StateMachine
    micropython = ModuleType("micropython")
    micropython.const = lambda value: value
    framebuf = ModuleType("framebuf")
    framebuf.FrameBuffer = FrameBuffer
    framebuf.MONO_VLSB = 0
    time = ModuleType("time")
    time.ticks_ms = lambda: clock.now_us // 1000 & (1 << 30) - 1
    time.ticks_diff = lambda end, start: (end - start + (1 << 29) & (1 << 30) - 1) - (1 << 29)
    time.sleep_ms = lambda ms: setattr(clock, "now_us", clock.now_us + ms * 1000)
    events = ModuleType("events")
    events.wait_ms = clock.wait_ms
    return {
        "machine": machine,
        "events": events,
        "rp2": rp2,
        "micropython": micropython,
        "framebuf": framebuf,
        "time": time,
    }


def forget_drivers():
    """Drop imported drivers, so that the next import binds to the modules of the next test."""
    for name in [name for name in sys.modules if name.split(".")[0] in ("drivers", "boards")]:
        del sys.modules[name]
