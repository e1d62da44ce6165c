"""Power-up of the pump: builds the board, tests it, and runs the pump for ever.

One loop, one place that feeds the watchdog. What must be quick is not in it: the step generator times the steps, and
stop key, door and clamp gate them in their interrupts.
"""

import gc
import time

from board import Board
from pump import trust
from pump.alarms import HIGH
from pump.protocol import MAX_LINE, Server
from pump.pump import CONTACTS, RESET_POWER, RESET_WATCHDOG, Pump
from pump.records import RecordLog
from pump.screen import Screen
from pump.vault import Vault

MORE_MS = 1  # after a request there may be another
REQUEST_MS = 50  # what the longest request takes, and its answer
RTC_EVERY_S = 60
HEAP_EVERY_S = 3_600
SCREEN_EVERY_S = 10  # totals and times; what happens is shown at once
ROWS = 8
ROW_MS = 5  # a row of the display takes 3 ms on its bus
PRESSURE_READY_MS = 6  # a conversion takes 5 ms [ABP2 data sheet]


class Loop:
    """The pump on its board: reads, steps, answers, shows, sleeps."""

    def __init__(self, board):
        self._board = board
        self._ticks = time.ticks_ms()
        vault = Vault(board.vault_flash)
        believed = trust.restore(board.fram, vault)
        self.pump = Pump(board.steps, board.fram, RecordLog(board.log_flash), believed, vault)
        self._edge = [0, 0, 0]
        self._line = bytearray(MAX_LINE)
        self._triggered_ms = None  # ticks of the last pressure conversion
        self._due = self._ticks  # when the pump wants to be called again
        self._put_off = None  # until the pump has been called at this time, no request is begun
        self._lost = 0
        self._heap_used = 0
        self._heap_s = 0
        self._rtc_read_s = 0
        self._shown_s = -SCREEN_EVERY_S
        self._shown_record = self._shown_changes = -1
        self._rows = None
        self._undrawn = False  # some of _rows are not on the glass yet
        about = self._about()
        self.screen = Screen(self.pump, about)
        self._server = Server(self.pump, about, lambda: self._heap_used)

    def _about(self):
        board = self._board
        return {
            "build": board.build,
            "commit": board.commit,
            "board": board.name,
            "drivers": list(board.drivers),
        }

    # -- power-up

    def power_up(self):
        """Self-test, then what FRAM holds; ends in `stopped` or `alarm`."""
        board = self._board
        board.watchdog.feed()
        self._rows = self.screen.notice()
        self._draw(ROWS)
        failed = -1
        for number, (_, ok) in enumerate(board.prove()):
            if not ok and failed < 0:
                failed = number
        rtc_s, proven = self._read_rtc()
        cause = RESET_WATCHDOG if board.bitten() else RESET_POWER
        self.pump.power_up(rtc_s, proven, cause)
        self._rtc_read_s = self.pump.core.clock.s
        self._tell_levels()
        board.watchdog.feed()
        if failed < 0 and not self._motor_wakes():
            failed = len(board.drivers)
        self.pump.self_tested(failed)
        self._measure_heap()

    def _motor_wakes(self):
        """Energises the motor once, so that a rotor that jumps is seen and booked before therapy. False: no power."""
        board = self._board
        board.steps.enable(True)
        time.sleep_ms(20)
        powered = board.motor_power()
        try:
            self.pump.motor_powered(board.encoder.read())
        except OSError:
            powered = False
        board.steps.enable(False)
        return powered

    def _read_rtc(self):
        try:
            return self._board.rtc.unix_s(), not self._board.rtc.power_lost()
        except OSError:
            return 0, False

    # -- the loop

    def turn(self):
        """One wake-up. Returns the milliseconds to sleep.

        A question over the link is answered soon and leaves the pump as it was: sensors are read and the pump steps
        when their time has come, when a contact moved, or when a request changed something.
        """
        self._tell_time()
        self._board.watchdog.feed()
        told = self._tell_edges()
        left_ms = time.ticks_diff(self._due, self._ticks)
        served = self._may_serve(left_ms) and self._serve()
        if left_ms <= 0 or told or (served and self._server.changed and not self._server.busy):
            self._read_sensors()
            left_ms = self.pump.step()
            self._due = time.ticks_add(self._ticks, left_ms)
            self._signal()
        if self._undrawn and left_ms >= ROW_MS:
            self._draw(1)  # a row at a time, and only while nothing is due: what is granted next is not held up
        if self.pump.wants_boot_loader:
            self._make_way()
            return MORE_MS
        has_more = served or self._undrawn or self._put_off is not None
        return min(left_ms, MORE_MS) if has_more else left_ms

    def _tell_time(self):
        now = time.ticks_ms()
        self.pump.core.clock.advance(time.ticks_diff(now, self._ticks))
        self._ticks = now

    def _tell_edges(self):
        """Hands over the edges since the last turn, each at its own time. True when there were any."""
        edge, clock = self._edge, self.pump.core.clock
        told = False
        while self._board.contacts.take(edge):
            ago_ms = time.ticks_diff(self._ticks, edge[2])
            s, ms = clock.ago(ago_ms if ago_ms > 0 else 0)
            self.pump.edge(edge[0], edge[1], s, ms)
            told = True
        if self._board.contacts.lost != self._lost:
            self._lost = self._board.contacts.lost
            self._tell_levels()
            told = True
        self._board.unlock()
        return told

    def _tell_levels(self):
        """Hands over the contacts as they stand: at power-up, and when edges came faster than they were taken."""
        for contact in range(CONTACTS):
            self.pump.settled(contact, self._board.contacts.level(contact))

    def _read_sensors(self):
        board, monitors = self._board, self.pump.monitors
        try:
            monitors.feel_encoder(board.encoder.read())
        except OSError:
            monitors.encoder_silent()
        try:
            triggered = self._triggered_ms
            if triggered is not None and time.ticks_diff(self._ticks, triggered) >= PRESSURE_READY_MS:
                pressure_pa = board.pressure.read_pa()
                monitors.feel_pressure(pressure_pa, board.pressure.raw, board.pressure.status)
                self._triggered_ms = None
            if self._triggered_ms is None:
                board.pressure.trigger()
                self._triggered_ms = self._ticks
        except OSError:
            self._triggered_ms = None
            monitors.pressure_silent()

    def _may_serve(self, left_ms):
        """Not right before the pump is due, for who talks without end would take from its motion; put off once."""
        is_near = left_ms < REQUEST_MS and (self._put_off is None or self._put_off == self._due)
        if is_near and (self._server.busy or self._board.link.has_heard()):
            self._put_off = self._due
            return False
        self._put_off = None
        return True

    def _serve(self):
        """Begins one request, or does one piece of it, so that a host that talks without end holds up nothing.

        True when there was one.
        """
        link, server = self._board.link, self._server
        if server.busy:
            said = server.go_on()
        else:
            length = link.read_line(self._line)
            if not length:
                return False
            said = server.begin(memoryview(self._line)[:length])
        if said is not None:
            link.write(said)
        return True

    def _make_way(self):
        """Leaves for the boot loader, when the answer that says so has gone."""
        board, core = self._board, self.pump.core
        if board.link.is_sent() and not (core.moving() or core.motion.flying):
            board.steps.halt()
            board.steps.enable(False)
            board.bootloader()

    def _signal(self):
        """Lights, sound, display; the wall clock once a minute, the heap once an hour.

        Whatever happens is recorded, so a new record is the sign that there may be something new to show; and what
        START will do is shown before it does it.
        """
        core = self.pump.core
        recorded, changes = core.diary.next_sequence, core.waiting.changes
        new = recorded != self._shown_record or changes != self._shown_changes
        if new or core.clock.s - self._shown_s >= SCREEN_EVERY_S:
            self._shown_record, self._shown_changes, self._shown_s = recorded, changes, core.clock.s
            self._show_alarms()
            self._rows, self._undrawn = self.screen.rows(), True
        elif core.alarms.top() >= 0:
            self._show_alarms()  # a pause of the sound ends by time alone
        if core.clock.s - self._rtc_read_s >= RTC_EVERY_S:
            self._rtc_read_s = core.clock.s
            rtc_s, proven = self._read_rtc()
            if proven:
                self.pump.tell_rtc(rtc_s)
        if core.clock.s - self._heap_s >= HEAP_EVERY_S:
            self._measure_heap()

    def _measure_heap(self):
        """Collects garbage at a known time and remembers what is in use, for whoever asks."""
        gc.collect()
        self._heap_s = self.pump.core.clock.s
        self._heap_used = gc.mem_alloc()

    def _draw(self, most):
        """A display that does not answer is no reason to stop; it starts anew when it does."""
        try:
            self._undrawn = not self._board.display.show(self._rows, most)
        except OSError:
            self._board.display.invalidate()
            self._undrawn = False

    def _show_alarms(self):
        board, core = self._board, self.pump.core
        priority = core.alarms.highest()
        muted = not core.alarms.audible()
        board.lights.show(priority, muted, core.infusing())
        board.sound.show(priority, muted)


def main():
    """Runs the pump. Does not return.

    An error that nothing below expects is the end of this run: the motor is let go, the alarm is left sounding by
    itself, and the watchdog, no longer fed, resets the board.
    """
    board = Board()
    try:
        loop = Loop(board)
        loop.power_up()
        while True:
            board.wait(loop.turn())
    except Exception as error:
        board.steps.halt()
        board.steps.enable(False)
        board.lights.show(HIGH)
        board.sound.show(HIGH)
        _last_words(board, error)
        raise error


def _last_words(board, error):
    """On the display, if it still answers; the watchdog ends them."""
    rows = ["PUMP FAULT", "", type(error).__name__, str(error), "", "It starts anew", "by itself and", "stays stopped."]
    try:
        board.display.show([(row + " " * 16)[:16] for row in rows])
    except OSError:
        pass  # lights and sound have said it


if __name__ == "__main__":
    main()
