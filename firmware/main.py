"""The main loop: builds the board, tests it, then reads, steps, answers, shows and sleeps for ever.

The loop is the one place that feeds the watchdog. It times no step: the step generator does, and the interrupts of stop
key, door and clamp gate the step generator.
"""

import gc
import time

from board import Board  # pyright: ignore[reportMissingImports]
from pump.authority import trust
from pump.base.contacts import CONTACTS
from pump.controller import Controller
from pump.link.protocol import Server
from pump.monitoring.alarms import HIGH
from pump.panel.screen import Screen
from pump.power_up import RESET_POWER, RESET_WATCHDOG
from pump.storage.records import RecordLog
from pump.storage.vault import Vault

MOST_EDGES = 64  # handed over in a turn: what the ring of the contacts holds
AGAIN_MS = 1  # sleep while a request, a row or a deferred request is left to do
SEND_MS = 5  # sleep while an answer waits for room in the UART, which holds 11 ms of bytes
REQUEST_MS = 50  # the longest request with its answer
RTC_EVERY_S = 60
HEAP_EVERY_S = 3_600
# Garbage, estimated: a collection takes 20 ms, and one that an allocation forces would delay motion by that.
COLLECT_MS = 35  # free time for a collection, and for 9 ms in which the heap is measured
COLLECT_BYTES = 40_000  # of garbage; the heap has 120 kB free
SCREEN_BYTES = 256
RECORD_BYTES = 3_000  # of a record, and of the state that is saved with it
REQUEST_BYTES = 4_000  # of a request, or of a piece of one
SCREEN_EVERY_S = 10  # totals and times; an event is shown at once
ROWS = 8
ROW_MS = 5  # drawing a row of the display takes 3 ms of its bus
PRESSURE_READY_MS = 6  # a conversion takes 5 ms [ABP2 data sheet]


def _memory(board):
    """The FRAM; a stand-in where it does not answer: the self-test fails, and the pump can say so."""
    try:
        board.fram.probe()
    except OSError:
        from pump.storage.no_memory import NoMemory  # noqa: PLC0415  (takes no heap of a pump whose memory answers)

        return NoMemory()
    return board.fram


class Loop:
    """The pump on its board: reads, steps, answers, shows, sleeps."""

    def __init__(self, board):
        self._board = board
        self._ticks = time.ticks_ms()
        vault = Vault(board.vault_flash)
        memory = _memory(board)
        trusted = trust.restore(memory, vault)
        self.pump = Controller(board.steps, memory, RecordLog(board.log_flash), trusted, vault)
        self._edge = [0, 0, 0]
        self._overlong = 0  # lines that were too long, as last answered
        self._triggered_ms = None  # ticks of the last pressure conversion
        self._due = self._ticks  # ticks at which the pump must be stepped
        self._deferred_until = None  # ticks: no request is begun before the step that is due then
        self._lost_edges = 0
        self._moved = self._served = False  # at this wake-up: a contact, a request
        self._heap_used = 0
        self._garbage = 0  # bytes, estimated
        self._heap_s = 0
        self._rtc_read_s = 0
        self._shown_s = -SCREEN_EVERY_S
        self._shown_record = self._shown_changes = -1
        self._rows = None
        self._undrawn = False  # some of _rows are not on the display yet
        about = self._about()
        self.screen = Screen(self.pump, about)
        self._server = Server(self.pump, about, lambda: self._heap_used)
        self._eventful = True  # at the last wake-up
        self._complement = ~(self._ticks ^ self._due)  # between two wake-ups (pump.base.dose_guard)

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
        """Self-test, then restores what FRAM holds. The pump is `stopped` or in `alarm` afterwards."""
        board = self._board
        board.watchdog.feed()
        self._rows = self.screen.notice()
        self._draw(ROWS)
        failed = -1
        for number, (_, ok) in enumerate(board.probe()):
            if not ok and failed < 0:
                failed = number
        rtc_s, proven = self._read_rtc()
        cause = RESET_WATCHDOG if board.was_watchdog_reset() else RESET_POWER
        self.pump.power_up.restore(rtc_s, proven, cause)
        self._rtc_read_s = self.pump.therapy.clock.s
        self._deliver_levels()
        board.watchdog.feed()
        if failed < 0 and not self._power_motor_once():
            failed = len(board.drivers)
        self.pump.power_up.self_tested(failed)
        self._measure_heap()

    def _power_motor_once(self):
        """Energises the motor once, so that a jump of the rotor is booked before therapy. False: no power."""
        board = self._board
        board.steps.enable(True)
        time.sleep_ms(20)
        powered = board.motor_power()
        try:
            self.pump.power_up.motor_powered(board.encoder.read())
        except OSError:
            powered = False
        board.steps.enable(False)
        return powered

    def _read_rtc(self):
        """(Unix seconds, whether the RTC never lost its supply); (0, False) if the RTC does not answer."""
        try:
            return self._board.rtc.unix_s(), not self._board.rtc.power_lost()
        except OSError:
            return 0, False

    # -- the loop

    def turn(self):
        """One wake-up. Returns the milliseconds to sleep. Between two of them no dose variable may change [WDG-06]."""
        board = self._board
        is_called = self._eventful or not board.contacts.all_taken() or board.link.has_unread()
        if self._ticks ^ self._due ^ self._complement != -1 or not self.pump.guard.is_whole(is_called):
            self._leave_damaged_memory()
        self._moved = self._served = False
        sleep_ms = self._wake()
        self._eventful = self.pump.seal(self._moved or self._served)
        self._complement = ~(self._ticks ^ self._due)
        return sleep_ms

    def _leave_damaged_memory(self):
        """A dose variable has changed by itself: motion ends, and the pump restarts from FRAM. Does not return."""
        board = self._board
        board.steps.halt()
        board.steps.enable(False)
        self._advance_clock()
        self.pump.power_up.note_damage()
        board.reset()

    def _wake(self):
        """What a wake-up does.

        Sensors are read and the pump is stepped when it is due, when a contact moved, or when a request changed
        something. A question over the link does neither.
        """
        self._advance_clock()
        self._board.watchdog.feed()
        moved = self._moved = self._deliver_edges()
        left_ms = time.ticks_diff(self._due, self._ticks)
        link = self._board.link
        if link.unsent:
            link.send()
        served = self._served = self._may_serve(left_ms) and self._serve()
        if left_ms <= 0 or moved or (served and self._server.changed and not self._server.busy):
            self._read_sensors()
            self._watch_display()
            left_ms = self.pump.step()
            self._due = time.ticks_add(self._ticks, left_ms)
            self._show()
        if self._undrawn and left_ms >= ROW_MS:
            self._draw(1)  # one row, and only while nothing is due: the next grant is not delayed
        elif left_ms >= COLLECT_MS:
            self.pump.idle()
            self._tidy_heap()
        if self.pump.image_update.wants_boot_loader:
            self._enter_boot_loader()
            return AGAIN_MS
        has_more = served or self._undrawn or self._deferred_until is not None
        if has_more:
            return min(left_ms, AGAIN_MS)
        return min(left_ms, SEND_MS) if link.unsent else left_ms

    def _advance_clock(self):
        now = time.ticks_ms()
        self.pump.therapy.clock.advance(time.ticks_diff(now, self._ticks))
        self._ticks = now

    def _deliver_edges(self):
        """Hands the edges since the last turn to the front panel, each with its time. True for any.

        At most MOST_EDGES: a contact that chatters cannot keep the loop here. The gate is freed only when no press of
        STOP, and no opening of door or clamp, is left to be decided.
        """
        contacts, panel = self._board.contacts, self.pump.front_panel
        edge, clock = self._edge, self.pump.therapy.clock
        moved = False
        for _ in range(MOST_EDGES):
            if not contacts.take(edge):
                break
            ago_ms = time.ticks_diff(self._ticks, edge[2])
            s, ms = clock.ago(ago_ms if ago_ms > 0 else 0)
            panel.edge(edge[0], edge[1], s, ms)
            moved = True
        if contacts.lost != self._lost_edges:
            self._lost_edges = contacts.lost
            for contact in range(CONTACTS):
                panel.resync(contact, contacts.level(contact), contacts.take_lost_stop(contact))
            moved = True
        if not self.pump.inputs.is_undecided():
            self._board.unlock()
        return moved

    def _deliver_levels(self):
        """Hands the present level of each contact to the front panel, at power-up."""
        for contact in range(CONTACTS):
            self.pump.front_panel.set_level(contact, self._board.contacts.level(contact))

    def _read_sensors(self):
        board, monitors = self._board, self.pump.monitors
        try:
            monitors.sample_encoder(board.encoder.read())
        except OSError:
            monitors.encoder_silent()
        try:
            triggered = self._triggered_ms
            if triggered is not None and time.ticks_diff(self._ticks, triggered) >= PRESSURE_READY_MS:
                pressure_pa = board.pressure.read_pa()
                monitors.sample_pressure(pressure_pa, board.pressure.raw, board.pressure.status)
                self._triggered_ms = None
            if self._triggered_ms is None:
                board.pressure.trigger()
                self._triggered_ms = self._ticks
        except OSError:
            self._triggered_ms = None
            monitors.pressure_silent()

    def _may_serve(self, left_ms):
        """False right before a step is due: a host that sends without pause would delay motion. Defers once a step."""
        is_near = left_ms < REQUEST_MS and (self._deferred_until is None or self._deferred_until == self._due)
        if is_near and (self._server.busy or self._board.link.has_unread()):
            self._deferred_until = self._due
            return False
        self._deferred_until = None
        return True

    def _serve(self):
        """Begins one request, or does one piece of the request at work. False if there was nothing to do."""
        link, server = self._board.link, self._server
        if server.busy:
            answer = server.go_on()
        else:
            line = link.read_line()
            if link.overlong != self._overlong:
                self._overlong = link.overlong
                link.write(server.refuse_overlong())
            if line is None:
                return False
            answer = server.begin(line)
        self._garbage += REQUEST_BYTES
        if answer is not None:
            link.write(answer)
        return True

    def _enter_boot_loader(self):
        """Restarts into the boot loader, once the answer to the host is sent and nothing moves."""
        board, therapy = self._board, self.pump.therapy
        if board.link.is_sent() and not (therapy.moving() or therapy.motion.in_flight):
            board.steps.halt()
            board.steps.enable(False)
            board.bootloader()

    def _show(self):
        """Lights, sound and display; reads the RTC once a minute.

        Every event is recorded, so a new record means that the display may have changed; so does a change of what
        START would confirm. A display that was dark is drawn again, whole.
        """
        therapy = self.pump.therapy
        recorded, changes = therapy.event_log.next_sequence, therapy.confirmation.changes
        new = recorded != self._shown_record or changes != self._shown_changes
        if new or therapy.clock.s - self._shown_s >= SCREEN_EVERY_S:
            self._garbage += SCREEN_BYTES + (recorded - self._shown_record) * RECORD_BYTES
            self._shown_record, self._shown_changes, self._shown_s = recorded, changes, therapy.clock.s
            self._show_alarms()
            self._rows, self._undrawn = self.screen.rows(), True
        elif therapy.alarms.top() >= 0:
            self._show_alarms()  # an audio pause ends by time alone
        if therapy.clock.s - self._rtc_read_s >= RTC_EVERY_S:
            self._rtc_read_s = therapy.clock.s
            self.pump.rtc_read(*self._read_rtc())

    def _tidy_heap(self):
        """Collects garbage when there is enough of it; once an hour also measures the heap."""
        if self.pump.therapy.clock.s - self._heap_s >= HEAP_EVERY_S:
            self._measure_heap()
        elif self._garbage >= COLLECT_BYTES:
            self._collect()

    def _measure_heap(self):
        """Collects garbage, and keeps the bytes in use for the `state` of the link."""
        self._collect()
        self._heap_s = self.pump.therapy.clock.s
        self._heap_used = gc.mem_alloc()

    def _collect(self):
        gc.collect()
        self._garbage = 0

    def _draw(self, most):
        """Draws at most `most` rows. A display that does not answer stops nothing; it is drawn whole when it does."""
        try:
            self._undrawn = not self._board.display.show(self._rows, most)
        except OSError:
            self._display_failed()
            return
        if not self._undrawn:
            self.pump.front_panel.display_works(True)
            self.pump.therapy.confirmation.drawn(self._shown_changes)

    def _watch_display(self):
        """Finds a display that does not answer, or was without its supply meanwhile, before a key is acted on."""
        try:
            self._board.display.check()
        except OSError:
            self._display_failed()

    def _display_failed(self):
        """What the display showed is gone: also a page that waits for START has to be drawn again."""
        self._board.display.invalidate()
        self._undrawn, self._shown_record = False, -1
        self.pump.front_panel.display_works(False)
        self.pump.therapy.confirmation.vanished()

    def _show_alarms(self):
        board, therapy = self._board, self.pump.therapy
        priority = therapy.alarms.highest()
        muted = not therapy.alarms.audible()
        board.lights.show(priority, muted, therapy.infusing())
        board.sound.show(priority, muted)


def main():
    """Runs the pump. Does not return.

    An error that nothing below handles ends the run: the motor loses its current, light and sound show a HIGH alarm
    without the processor, and the watchdog, no longer fed, resets the board.
    """
    board = Board()
    try:
        loop = Loop(board)
        loop.power_up()
        while True:
            board.wait(loop.turn())
    except Exception as error:
        _end_run(board, error)
        raise error


def _end_run(board, error):
    """Light and sound show a HIGH alarm, and the motor loses its current. A part that fails keeps no other from it."""
    for act in (
        lambda: board.lights.show(HIGH),
        lambda: board.sound.show(HIGH),
        lambda: board.steps.enable(False),
        lambda: board.steps.halt(),
        lambda: _show_fault(board, error),
    ):
        try:
            act()
        except Exception:  # `error` is what counts; the watchdog resets the board soon after
            continue


def _show_fault(board, error):
    rows = ["PUMP FAULT", "", type(error).__name__, str(error), "", "It restarts", "by itself and", "stays stopped."]
    board.display.show([(row + " " * 16)[:16] for row in rows])


if __name__ == "__main__":
    main()
