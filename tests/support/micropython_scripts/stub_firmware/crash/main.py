"""Firmware that fails in each way, by the line it receives."""

import time

import machine

CRASHES = 0


def main():
    uart = machine.UART(0)
    uart.write(f"boot {machine.reset_cause()} {time.ticks_ms()} {CRASHES}\n")
    dog = machine.WDT(timeout=8000)
    fram = machine.I2C(0)
    while True:
        time.sleep_ms(100)
        dog.feed()
        line = uart.read()
        if not line:
            continue
        word = line.strip()
        if word == b"raise":
            raise ValueError("on purpose")
        if word == b"return":
            return
        if word == b"hang":
            while True:
                time.sleep_ms(1000)
        if word == b"spin":
            while True:
                time.ticks_us()
        if word == b"reset":
            machine.reset()
        if word == b"count":
            n = fram.readfrom_mem(0x50, 0, 1, addrsize=16)[0] + 1
            fram.writeto_mem(0x50, 0, bytes([n]), addrsize=16)
            uart.write(f"count {n}\n")
        if word == b"print":
            print("to the console")
            uart.write("printed\n")
        if word == b"handler":

            def bad(_):
                raise RuntimeError("in a handler")

            machine.Timer(mode=machine.Timer.ONE_SHOT, period=10, callback=bad)
            uart.write("armed\n")
