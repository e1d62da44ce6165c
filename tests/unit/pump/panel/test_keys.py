"""Start, stop and acknowledge keys [H07, ALM-24, RX-01]."""

from pump.base.contacts import ACK_KEY, START_KEY, STOP_KEY
from pump.panel.keys import Keys
from support.portable.polled import Polled
from support.portable.wakeup_cost import allocates, checked_int


class Panel(Polled):
    """Presses keys; polls when the keys ask for it. Events as (event, time of decision in ms, held_ms)."""

    def __init__(self, t_ms=50_000):
        Polled.__init__(self, t_ms)
        self.keys = Keys()
        self.events = []
        self.wait(0)

    def level(self, key, level):
        self.keys.edge(key, level, self.t // 1000, self.t % 1000)
        self._poll()

    def press(self, key, hold_ms):
        self.level(key, 0)
        self.wait(hold_ms)
        self.level(key, 1)

    def _poll(self):
        wait_ms = self.keys.poll(self.t // 1000, self.t % 1000)
        assert wait_ms == -1 or wait_ms > 0
        self._due = self.t + wait_ms if wait_ms > 0 else -1
        event = self.keys.take()
        while event is not None:
            self.events.append((event, self.t, self.keys.held_ms))
            event = self.keys.take()


def test_start_acts_at_release():
    """A 200 ms press of start is decided 30 ms after its release, and knows when that was."""
    panel = Panel()
    panel.press(START_KEY, 200)
    assert panel.events == []
    panel.wait(100)
    assert panel.events == [(Keys.START_SHORT, 50_230, 200)]
    assert (panel.keys.at_s, panel.keys.at_ms) == (50, 200)


def test_start_short_from_50_to_1999_ms():
    """Shorter is nothing, longer is a hold."""
    for hold_ms, expected in (
        (29, None),
        (49, None),
        (50, Keys.START_SHORT),
        (1_999, Keys.START_SHORT),
        (2_000, Keys.START_HOLD),
        (9_000, Keys.START_HOLD),
    ):
        panel = Panel()
        panel.press(START_KEY, hold_ms)
        panel.wait(1_000)
        assert [event for event, _, _ in panel.events] == ([expected] if expected else []), hold_ms


def test_hold_is_reported_once_at_2_s():
    """RX-01: hold-to-confirm is reported at 2000 ms, not at release, and once."""
    panel = Panel()
    panel.level(START_KEY, 0)
    panel.wait(1_999)
    assert panel.events == []
    panel.wait(1)
    assert panel.events == [(Keys.START_HOLD, 52_000, 2_000)]
    panel.wait(20_000)
    panel.level(START_KEY, 1)
    panel.wait(1_000)
    assert len(panel.events) == 1


def test_stop_and_ack_act_at_contact():
    """Stop is decided when the contact stood for 30 ms; from the first edge on it is pending."""
    panel = Panel()
    panel.level(STOP_KEY, 0)
    assert panel.keys.stop_pending
    panel.wait(29)
    assert panel.events == [] and panel.keys.stop_pending
    panel.wait(1)
    assert panel.events[0][0] == Keys.STOP and panel.events[0][1] == 50_030
    assert not panel.keys.stop_pending
    panel.wait(500)
    panel.level(STOP_KEY, 1)
    panel.wait(100)
    panel.press(ACK_KEY, 100)
    panel.wait(100)
    assert [event for event, _, _ in panel.events] == [Keys.STOP, Keys.ACK]


def test_bounce_trains_produce_nothing():
    """H07: 5 ms bounce trains on every key: nothing, and no stop stays pending."""
    for key in (START_KEY, STOP_KEY, ACK_KEY):
        panel = Panel()
        for _ in range(400):
            panel.press(key, 5)
            panel.wait(5)
        panel.wait(1_000)
        assert panel.events == [] and not panel.keys.stop_pending and not panel.keys.stuck


def test_bounce_at_both_ends_is_one_press():
    """H07: bounce around a press does not double it, and a drop of 5 ms does not split a hold."""
    panel = Panel()
    for _ in range(3):
        panel.press(STOP_KEY, 5)
        panel.wait(5)
    panel.press(STOP_KEY, 100)
    for _ in range(3):
        panel.wait(5)
        panel.press(STOP_KEY, 5)
    panel.wait(500)
    assert [event for event, _, _ in panel.events] == [Keys.STOP]
    panel = Panel()
    panel.press(START_KEY, 1_000)
    panel.wait(5)
    panel.press(START_KEY, 1_200)
    panel.wait(500)
    assert [event for event, _, _ in panel.events] == [Keys.START_HOLD]


def test_edges_without_polls_between():
    """All edges of a press in one wake-up: nothing is lost."""
    keys = Keys()
    keys.edge(START_KEY, 0, 10, 900)
    keys.edge(START_KEY, 1, 11, 100)
    keys.edge(STOP_KEY, 0, 11, 500)
    keys.edge(STOP_KEY, 1, 11, 700)
    keys.poll(20, 0)
    assert keys.take() == Keys.START_SHORT and keys.held_ms == 200
    assert keys.take() == Keys.STOP
    assert keys.take() is None
    keys.edge(START_KEY, 0, 30, 0)
    keys.edge(START_KEY, 1, 33, 0)
    keys.poll(33, 40)
    assert keys.take() == Keys.START_HOLD and keys.take() is None


def test_stuck_key():
    """ALM-24: a key held more than 10 s is stuck until it is released."""
    for key in (START_KEY, STOP_KEY, ACK_KEY):
        panel = Panel()
        panel.level(key, 0)
        panel.wait(10_000)
        assert not panel.keys.stuck
        panel.wait(1)
        assert panel.keys.stuck
        panel.level(key, 1)
        panel.wait(30)
        assert not panel.keys.stuck


def test_a_key_held_at_power_up_is_no_press():
    """A key that is down at boot acts only after it was released; it may still be stuck."""
    panel = Panel()
    panel.keys.set_level(STOP_KEY, 0, panel.t // 1000, panel.t % 1000)
    panel.keys.set_level(START_KEY, 0, panel.t // 1000, panel.t % 1000)
    panel.wait(10_001)
    assert panel.events == [] and panel.keys.stuck
    panel.level(START_KEY, 1)
    panel.level(STOP_KEY, 1)
    panel.wait(100)
    assert panel.events == []
    panel.press(START_KEY, 200)
    panel.wait(100)
    assert [event for event, _, _ in panel.events] == [Keys.START_SHORT]


def test_cost_of_a_wake_up():
    """NUM-02, H36: no allocation, no number past 2^30, at any age of the pump."""
    keys = Keys()

    def press(s=100, ms=0):
        for key in range(3):
            keys.edge(key, 0, s, ms)
            keys.poll(s, ms + 100)
            keys.edge(key, 1, s, ms + 200)
            keys.poll(s, ms + 300)
        while keys.take() is not None:
            pass

    assert not allocates(press)
    for s in (0, 1_500_000, 300_000_000, 1_000_000_000):
        press(checked_int(s), checked_int(700))
