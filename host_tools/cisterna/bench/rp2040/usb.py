"""The computer at the other end of the USB cable: it makes the board's serial port known and moves bytes.

What differs from the emulator's own host, and why:
    OUT    while there is nothing to send, a request for data stays open, as a real host sends none; the emulator's
           answers with an empty packet every 10 us, each of which wakes a CPU that sleeps
    bytes  what waits to be sent has no limit; the emulator drops what exceeds 512 bytes
    lines  DTR changes one at a time, each acknowledged before the next
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rp2040py.peripherals import usb as controller
from rp2040py.peripherals.usb import CONTROLLER_EN, MAIN_CTRL, SIE_SUSPENDED
from rp2040py.usb.cdc import CDC_DTR, CDC_RTS, USBCDC

from cisterna.bench.rp2040.chip import Chip

# The data sheet lets the CPU clear this bit (4.1.4); the emulator would not, and its interrupt would never end.
controller.SIE_WRITECLEAR_MASK |= SIE_SUSPENDED


class UsbHost:
    """Plugged into `chip` from the moment it is made. Everything happens while the chip runs (`chip.run_until_ns`).

    A chip that is reset leaves the bus and comes back; what was under way to it is lost, as on a desk.

    on_data    called with each packet of bytes from the board; without it they are kept for `take`
    connected  the board has made itself known, and it has a serial port
    """

    def __init__(self, chip: Chip, dtr: bool = True):
        self._usb = chip.mcu.usb_ctrl
        self._dtr = dtr
        self._cdc = cdc = _Cdc(self._usb, self._lines)
        self.on_data: Callable[[bytes], None] | None = None
        self._arrived = bytearray()
        self._leave()
        cdc.on_serial_data = self._came
        self._acknowledge = self._usb.on_endpoint_write
        self._hand_over = self._usb.on_endpoint_read
        self._usb.on_endpoint_write = self._written
        self._usb.on_endpoint_read = self._asked
        self._usb.on_reset = self._leave
        if self._usb.read_uint32(MAIN_CTRL) & CONTROLLER_EN:
            self._usb._sie_status &= ~SIE_SUSPENDED
            self._usb.reset_device()

    # -- bytes

    def send(self, data: bytes) -> None:
        """To the board, in order, as fast as it asks for them. Lost if nobody is connected."""
        if self.connected:
            self._waiting += data
            self._give()

    def take(self) -> bytes:
        """What the board has sent since the last `take`."""
        data = bytes(self._arrived)
        self._arrived.clear()
        return data

    @property
    def unsent(self) -> int:
        """Bytes that the board has not asked for yet."""
        return len(self._waiting)

    # -- the cable and the port

    def set_dtr(self, dtr: bool) -> None:
        """A program opens the port (True) or closes it. While it is closed, nobody keeps what the board prints."""
        self._dtr = dtr
        self._tell_lines()

    def unplug(self) -> None:
        """Pulls the cable. The board notices that the bus is silent. To plug in again, make another `UsbHost`."""
        usb = self._usb
        self._leave()
        usb.on_usb_enabled = usb.on_reset_received = usb.on_endpoint_write = usb.on_endpoint_read = None
        usb.on_reset = None
        usb.reset_alarm.cancel()
        usb._sie_status |= SIE_SUSPENDED
        usb._sie_status_updated()

    # -- what the board does

    def _leave(self) -> None:
        """The board is off the bus."""
        self._cdc._on_controller_reset()
        self._waiting = bytearray()
        self._wanted: int | None = None
        self.connected = False
        self._dtr_sent = False
        self._line_busy = False

    def _came(self, data: bytes) -> None:
        if not self._dtr_sent:
            return
        if self.on_data:
            self.on_data(bytes(data))
        else:
            self._arrived += data

    def _asked(self, endpoint: int, size: int) -> None:
        if endpoint == self._cdc._out_endpoint:
            self._wanted = size
            self._give()
        else:
            self._hand_over(endpoint, size)

    def _give(self) -> None:
        if self._wanted is not None and self._waiting:
            packet = self._waiting[: self._wanted]
            del self._waiting[: self._wanted]
            self._wanted = None
            self._usb.endpoint_read_done(self._cdc._out_endpoint, packet)

    def _written(self, endpoint: int, data: bytes) -> None:
        if endpoint == 0 and not data and self._line_busy:
            self._line_busy = False
            self.connected = True
            self._tell_lines()
        else:
            self._acknowledge(endpoint, data)

    # -- DTR

    def _lines(self) -> int:
        """Asked for whenever the state of the lines is about to be sent."""
        self._dtr_sent = self._dtr
        self._line_busy = True
        return (CDC_DTR | CDC_RTS) if self._dtr else 0

    def _tell_lines(self) -> None:
        if self.connected and not self._line_busy and self._dtr_sent != self._dtr:
            self._cdc._cdc_set_control_line_state()


class _Cdc(USBCDC):
    """The emulator's host, which makes the device known; the lines it then sets are those that are wanted."""

    def __init__(self, usb: Any, lines: Callable[[], int]):
        super().__init__(usb)
        self._wanted_lines = lines

    def _cdc_set_control_line_state(self, value: int | None = None, interface_number: int | None = None) -> None:
        super()._cdc_set_control_line_state(self._wanted_lines(), interface_number)
