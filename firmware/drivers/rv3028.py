"""RV-3028-C7 real-time clock, I2C 0x52 (application manual, chapter 3 "Register organization").

Only the UNIX time counter is used: 32 bits of seconds, backed by the battery. The calendar is not used.
"""

import time

from micropython import const

_ADDRESS = const(0x52)
_STATUS = const(0x0E)
_CONTROL_1 = const(0x0F)
_CONTROL_2 = const(0x10)
_UNIX_TIME = const(0x1B)  # 4 bytes, least significant first
_EE_COMMAND = const(0x27)
_EE_BACKUP = const(0x37)

_PORF = const(0x01)  # status: power was lost, the time is invalid
_EE_BUSY = const(0x80)  # status
_EERD = const(0x08)  # control 1: no automatic refresh of the settings from EEPROM
_RESET = const(0x01)  # control 2: clears the prescaler, so that a second starts now
_BACKUP_MODE = const(0x0C)
_BACKUP_DIRECT = const(0x04)  # switch to the battery when its voltage is the higher one


class RV3028:
    """`i2c`: machine.I2C."""

    def __init__(self, i2c):
        self._i2c = i2c
        self._one = bytearray(1)
        self._first = bytearray(4)
        self._second = bytearray(4)

    def unix_s(self):
        """Seconds since 1970. OSError if the chip does not answer, or if two readings in a row never agree."""
        for _ in range(3):  # the counter is not latched while it is read: two readings must agree
            self._i2c.readfrom_mem_into(_ADDRESS, _UNIX_TIME, self._first)
            self._i2c.readfrom_mem_into(_ADDRESS, _UNIX_TIME, self._second)
            if self._first == self._second:
                s = self._first
                return s[0] | s[1] << 8 | s[2] << 16 | s[3] << 24
        raise OSError("rv3028: the time counter does not read the same twice")

    def power_lost(self):
        """True if battery and supply were both absent since `set_unix_s`: the time is invalid. OSError as `unix_s`."""
        return bool(self._read(_STATUS) & _PORF)

    def set_unix_s(self, unix_s):
        """Set the time; a second starts now. ValueError outside 0 .. 2^32 - 1, OSError if the chip does not answer."""
        if not 0 <= unix_s < 1 << 32:
            raise ValueError(f"rv3028: time {unix_s} s is outside 0..2^32-1")
        counter = self._first
        for i in range(4):
            counter[i] = unix_s >> (8 * i) & 0xFF
        self._write(_CONTROL_2, self._read(_CONTROL_2) | _RESET)
        self._i2c.writeto_mem(_ADDRESS, _UNIX_TIME, counter)
        self._write(_STATUS, self._read(_STATUS) & ~_PORF & 0xFF)

    def use_battery(self):
        """Enable the switch to the battery when the supply fails. Once, at provisioning: the setting is in EEPROM.

        The chip is delivered with the battery disabled (application manual, "EEPROM Backup register" and
        "EEPROM memory"). OSError if the EEPROM stays busy.
        """
        backup = self._read(_EE_BACKUP)
        if backup & _BACKUP_MODE == _BACKUP_DIRECT:
            return
        control = self._read(_CONTROL_1)
        self._write(_CONTROL_1, control | _EERD)
        self._wait_for_eeprom()
        self._write(_EE_BACKUP, backup & ~_BACKUP_MODE & 0xFF | _BACKUP_DIRECT)
        self._write(_EE_COMMAND, 0x00)
        self._write(_EE_COMMAND, 0x11)  # all settings into EEPROM
        self._wait_for_eeprom()
        self._write(_CONTROL_1, control)

    def probe(self):
        """True if the counter can be read; else OSError as `unix_s`."""
        self.unix_s()
        return True

    def _wait_for_eeprom(self):
        for _ in range(20):  # 63 ms by the manual
            if not self._read(_STATUS) & _EE_BUSY:
                return
            time.sleep_ms(10)
        raise OSError("rv3028: its EEPROM stays busy")

    def _read(self, register):
        self._i2c.readfrom_mem_into(_ADDRESS, register, self._one)
        return self._one[0]

    def _write(self, register, value):
        self._one[0] = value
        self._i2c.writeto_mem(_ADDRESS, register, self._one)
