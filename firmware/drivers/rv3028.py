"""RV-3028-C7 real-time clock, I2C 0x52 (application manual, chapter 3 "Register organization").

Only its UNIX time counter is used: 32 bit of seconds, kept by the battery. The calendar is left alone.
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

_PORF = const(0x01)  # status: power was lost, the time is worth nothing
_EE_BUSY = const(0x80)  # status
_EERD = const(0x08)  # control 1: no automatic refresh of the settings from EEPROM
_RESET = const(0x01)  # control 2: clears the prescaler, so that a second begins now
_BACKUP_MODE = const(0x0C)
_BACKUP_DIRECT = const(0x04)  # over to the battery when it is the higher voltage


class RV3028:
    def __init__(self, i2c):
        self._i2c = i2c
        self._one = bytearray(1)
        self._now = bytearray(4)
        self._again = bytearray(4)

    def unix_s(self):
        """Seconds since 1970. OSError if the chip does not answer, or does not read the same twice."""
        for _ in range(3):  # the counter is not latched while it is read: two readings must agree
            self._i2c.readfrom_mem_into(_ADDRESS, _UNIX_TIME, self._now)
            self._i2c.readfrom_mem_into(_ADDRESS, _UNIX_TIME, self._again)
            if self._now == self._again:
                now = self._now
                return now[0] | now[1] << 8 | now[2] << 16 | now[3] << 24
        raise OSError("rv3028: the time counter does not read the same twice")

    def power_lost(self):
        """True if battery and supply were both gone since `set_unix_s`: the time is not to be trusted."""
        return bool(self._read(_STATUS) & _PORF)

    def set_unix_s(self, unix_s):
        """Set the time; a second begins now. ValueError outside 0 .. 2^32 - 1."""
        if not 0 <= unix_s < 1 << 32:
            raise ValueError(f"rv3028: time {unix_s} s is outside 0..2^32-1")
        now = self._now
        for i in range(4):
            now[i] = unix_s >> (8 * i) & 0xFF
        self._write(_CONTROL_2, self._read(_CONTROL_2) | _RESET)
        self._i2c.writeto_mem(_ADDRESS, _UNIX_TIME, now)
        self._write(_STATUS, self._read(_STATUS) & ~_PORF & 0xFF)

    def use_battery(self):
        """Let the battery take over when the supply is gone. Once, at provisioning: it is kept in EEPROM.

        The chip is delivered with the battery switched off (application manual, "EEPROM Backup register" and
        "EEPROM memory"). OSError if it stays busy.
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

    def prove(self):
        """True if the counter reads the same twice."""
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
