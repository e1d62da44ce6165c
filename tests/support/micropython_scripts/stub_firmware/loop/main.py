"""A pump without therapy: reads, writes and grants as often as the real one."""

import time

from machine import I2C, UART, WDT, Pin, Timer, idle
from rp2 import PIO, StateMachine, asm_pio


@asm_pio(set_init=PIO.OUT_LOW)
def step_grant():
    pull(block)  # noqa: F821


class Loop:
    def __init__(self):
        self.chips = I2C(0, scl=Pin(5), sda=Pin(4), freq=400000)
        self.line = I2C(1, scl=Pin(7), sda=Pin(6), freq=400000)
        self.dir = Pin(3, Pin.OUT, value=1)
        self.enn = Pin(8, Pin.OUT, value=0)
        self.dog_pin = Pin(22, Pin.OUT, value=0)
        self.dog = WDT(timeout=8000)
        self.steps = StateMachine(0, step_grant, freq=1000000, set_base=Pin(2))
        self.steps.active(1)
        self.uart = UART(0, baudrate=115200, rxbuf=1024)
        self.uart.irq(handler=self.time_over, trigger=UART.IRQ_RXIDLE)
        self.timer = Timer()
        self.woken = False
        self.on_time = self.time_over
        self.edges = []
        for pin in (9, 10, 11, 12, 13, 14, 15):
            Pin(pin, Pin.IN, Pin.PULL_UP).irq(handler=self.edge, trigger=Pin.IRQ_RISING | Pin.IRQ_FALLING)
        self.answer = bytearray(4)
        self.angle = bytearray(2)
        self.record = bytearray(128)
        self.wakes = 0

    def time_over(self, _timer):
        self.woken = True

    def edge(self, pin):
        self.edges.append((pin.id, pin.value(), time.ticks_ms()))
        self.woken = True

    def wait(self, ms):
        self.timer.init(mode=Timer.ONE_SHOT, period=ms, callback=self.on_time)
        while not self.woken:
            idle()
        self.timer.deinit()
        self.woken = False

    def wake(self):
        self.wakes += 1
        self.dog.feed()
        self.dog_pin.toggle()
        self.line.readfrom_into(0x28, self.answer)
        self.line.writeto(0x28, b"\xaa\x00\x00")
        self.chips.readfrom_mem_into(0x36, 0x0C, self.angle)
        self.chips.writeto_mem(0x50, (self.wakes % 100) * 128, self.record, addrsize=16)
        if self.edges:
            self.uart.write(repr(self.edges) + "\n")
            self.edges = []
        line = self.uart.read()
        if line:
            self.uart.write(b"echo " + line)

    def grant(self, steps, period_us):
        self.steps.put(period_us - 5000)
        self.steps.put(period_us - 5000)
        self.steps.put(steps - 1)


def main():
    loop = Loop()
    print("stub: begins at", time.ticks_ms())
    while True:
        loop.wake()
        loop.grant(8, 1200000)
        loop.wait(5000)
        loop.wake()
        loop.wait(5000)
