"""SSD1306 128x64 display controller: picture memory, readable by the bench (Solomon Systech data sheet rev 1.1)."""

from .i2c import Chip

_COLUMNS = 128
_PAGES = 8
_HORIZONTAL, _VERTICAL, _PAGE = 0, 1, 2

# Command -> number of argument bytes, where it is not 0.
_ARGUMENTS = {
    0x20: 1, 0x21: 2, 0x22: 2, 0x26: 6, 0x27: 6, 0x29: 5, 0x2A: 5, 0x81: 1, 0x8D: 1, 0xA3: 2,
    0xA8: 1, 0xD3: 1, 0xD5: 1, 0xD9: 1, 0xDA: 1, 0xDB: 1,
}  # fmt: skip


class Ssd1306(Chip):
    """`ram`: 8 pages of 128 columns, bit 0 of a byte on top. `on`: the display is on."""

    def __init__(self):
        self.ram = bytearray(_COLUMNS * _PAGES)
        self.power_up()

    def power_up(self):
        self.on = False
        self.inverted = False
        self.contrast = 0x7F
        self.mode = _PAGE
        self.column = self.first_column = 0
        self.last_column = _COLUMNS - 1
        self.page = self.first_page = 0
        self.last_page = _PAGES - 1
        self.command = bytearray(7)  # the command being received, and its arguments
        self.received = 0  # bytes in `command`

    def write(self, data):
        i = 0
        n = len(data)
        while i < n:
            control = data[i]
            i += 1
            if control & 0x80:  # Co: one byte follows, then another control byte
                chunk = data[i : i + 1]
                i += 1
            else:
                chunk = data[i:]
                i = n
            if control & 0x40:
                self._picture(chunk)
            else:
                for byte in chunk:
                    self._take(byte)

    def read_into(self, buf):
        for i in range(len(buf)):
            buf[i] = 0x00 if self.on else 0x40

    def _picture(self, data):
        n = len(data)
        if self.mode != _VERTICAL and self.column + n <= self.last_column + 1:  # all bytes lie in one page
            at = self.page * _COLUMNS + self.column
            self.ram[at : at + n] = data
            self.column += n
            if self.column > self.last_column:
                self._next_row()
            return
        for byte in data:
            self.ram[self.page * _COLUMNS + self.column] = byte
            if self.mode == _VERTICAL:
                self.page += 1
                if self.page > self.last_page:
                    self.page = self.first_page
                    self.column = self.first_column if self.column == self.last_column else self.column + 1
            else:
                self.column += 1
                if self.column > self.last_column:
                    self._next_row()

    def _next_row(self):
        self.column = self.first_column
        if self.mode == _HORIZONTAL:
            self.page = self.first_page if self.page == self.last_page else self.page + 1

    def _take(self, byte):
        command = self.command
        command[self.received] = byte
        self.received += 1
        if self.received == 1 + _ARGUMENTS.get(command[0], 0):
            self.received = 0
            self._execute(command[0], command[1], command[2])

    def _execute(self, code, a, b):
        if code <= 0x0F:
            self.column = (self.column & 0xF0) | code
        elif code <= 0x1F:
            self.column = (self.column & 0x0F) | (code & 0x07) << 4
        elif code == 0x20:
            self.mode = a & 3
        elif code == 0x21:
            self.first_column = self.column = a & 0x7F
            self.last_column = b & 0x7F
        elif code == 0x22:
            self.first_page = self.page = a & 7
            self.last_page = b & 7
        elif code == 0x81:
            self.contrast = a
        elif code & 0xFE == 0xA6:
            self.inverted = bool(code & 1)
        elif code & 0xFE == 0xAE:
            self.on = bool(code & 1)
        elif code & 0xF8 == 0xB0:
            self.page = code & 7
