"""The USB host: enumerates the board's serial port and transfers bytes.

Differences from the emulator's own host, and the reasons:
    OUT    while there is nothing to send, a request for data stays pending, as with a real host; the emulator's
           answers with an empty packet every 10 us, each of which wakes a sleeping CPU
    bytes  the send queue has no limit; the emulator drops bytes beyond 512
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
    """Connected to `chip` from construction on. Transfers take place while the chip runs (`chip.run_until_ns`).

    A chip that is reset leaves the bus and is enumerated again; bytes in transit are lost.

    on_data    called with each packet of bytes from the board; None: they are stored for `take`
    connected  the board was enumerated and has a serial port
    """

    def __init__(self, chip: Chip, dtr: bool = True):
        self._usb = chip.mcu.usb_ctrl
        self._dtr = dtr
        self._cdc = cdc = _Cdc(self._usb, self._lines)
        self.on_data: Callable[[bytes], None] | None = None
        self._arrived = bytearray()
        self._leave()
        cdc.on_serial_data = self._received
        self._acknowledge = self._usb.on_endpoint_write
        self._pass_request = self._usb.on_endpoint_read
        self._usb.on_endpoint_write = self._written
        self._usb.on_endpoint_read = self._requested
        self._usb.on_reset = self._leave
        if self._usb.read_uint32(MAIN_CTRL) & CONTROLLER_EN:
            self._usb._sie_status &= ~SIE_SUSPENDED
            self._usb.reset_device()

    # -- bytes

    def send(self, data: bytes) -> None:
        """Send bytes to the board as fast as it requests them. Lost if not connected."""
        if self.connected:
            self._queue += data
            self._answer_request()

    def take(self) -> bytes:
        """Bytes from the board since the last `take`."""
        data = bytes(self._arrived)
        self._arrived.clear()
        return data

    @property
    def unsent(self) -> int:
        """Number of bytes that the board has not requested yet."""
        return len(self._queue)

    # -- the cable and the port

    def set_dtr(self, dtr: bool) -> None:
        """A program opens the port (True) or closes it. While it is closed, the board's output is lost."""
        self._dtr = dtr
        self._send_lines()

    def unplug(self) -> None:
        """Unplug the cable; the board detects a suspended bus. To plug in again, make another `UsbHost`."""
        usb = self._usb
        self._leave()
        usb.on_usb_enabled = usb.on_reset_received = usb.on_endpoint_write = usb.on_endpoint_read = None
        usb.on_reset = None
        usb.reset_alarm.cancel()
        usb._sie_status |= SIE_SUSPENDED
        usb._sie_status_updated()

    # -- events from the board

    def _leave(self) -> None:
        """The board is off the bus."""
        self._cdc._on_controller_reset()
        self._queue = bytearray()
        self._requested_size: int | None = None
        self.connected = False
        self._dtr_sent = False
        self._line_busy = False

    def _received(self, data: bytes) -> None:
        if not self._dtr_sent:
            return
        if self.on_data:
            self.on_data(bytes(data))
        else:
            self._arrived += data

    def _requested(self, endpoint: int, size: int) -> None:
        if endpoint == self._cdc._out_endpoint:
            self._requested_size = size
            self._answer_request()
        else:
            self._pass_request(endpoint, size)

    def _answer_request(self) -> None:
        if self._requested_size is not None and self._queue:
            packet = self._queue[: self._requested_size]
            del self._queue[: self._requested_size]
            self._requested_size = None
            self._usb.endpoint_read_done(self._cdc._out_endpoint, packet)

    def _written(self, endpoint: int, data: bytes) -> None:
        if endpoint == 0 and not data and self._line_busy:
            self._line_busy = False
            self.connected = True
            self._send_lines()
        else:
            self._acknowledge(endpoint, data)

    # -- DTR

    def _lines(self) -> int:
        """The state of DTR and RTS to send; called when it is about to be sent."""
        self._dtr_sent = self._dtr
        self._line_busy = True
        return (CDC_DTR | CDC_RTS) if self._dtr else 0

    def _send_lines(self) -> None:
        if self.connected and not self._line_busy and self._dtr_sent != self._dtr:
            self._cdc._cdc_set_control_line_state()


class _Cdc(USBCDC):
    """The emulator's host, which enumerates the device, with DTR and RTS as given by `lines`."""

    def __init__(self, usb: Any, lines: Callable[[], int]):
        super().__init__(usb)
        self._wanted_lines = lines

    def _cdc_set_control_line_state(self, value: int | None = None, interface_number: int | None = None) -> None:
        super()._cdc_set_control_line_state(self._wanted_lines(), interface_number)
