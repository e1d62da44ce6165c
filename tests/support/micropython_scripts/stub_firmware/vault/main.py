"""Firmware that writes each received line to its vault and answers with the first bytes of the vault."""

import time

import machine
import rp2


def main():
    uart = machine.UART(0)
    flash = rp2.Flash(start=0x30000, len=0x10000)
    buf = bytearray(8)
    while True:
        time.sleep_ms(100)
        line = uart.read()
        if line:
            flash.writeblocks(0, line.strip(), 0)
            flash.readblocks(0, buf, 0)
            uart.write(bytes(buf) + b"\n")
