"""The patient's button [H24, H25, ALM-24]."""

from pump.panel.pendant import Pendant
from support.portable.polled import Polled
from support.portable.wakeup_cost import allocates, checked_int

IDLE, PRESSED, SHORT, OPEN = (1, 0), (0, 1), (0, 0), (1, 1)  # raw levels NO, NC


class Cord(Polled):
    """Moves the contacts, NC first, and polls when the pendant asks for it."""

    def __init__(self, t_ms=100_000):
        Polled.__init__(self, t_ms)
        self.pendant = Pendant()
        self.levels = [1, 0]
        self.presses = []  # (contact_ms, held_ms, demand)
        self.faults = 0
        self.wait(0)

    def set(self, levels):
        for i in (1, 0):
            if levels[i] != self.levels[i]:
                self.levels[i] = levels[i]
                self.pendant.edge(i == 0, levels[i], self.t // 1000, self.t % 1000)
        self._poll()

    def press(self, hold_ms):
        self.set(PRESSED)
        self.wait(hold_ms)
        self.set(IDLE)

    def _poll(self):
        pendant = self.pendant
        was = pendant.fault
        wait_ms = pendant.poll(self.t // 1000, self.t % 1000)
        assert wait_ms == -1 or wait_ms > 0
        self._due = self.t + wait_ms if wait_ms > 0 else -1
        self.faults += pendant.fault and not was
        while pendant.take():
            contact_ms = pendant.contact_s * 1000 + pendant.contact_ms
            self.presses.append((contact_ms, pendant.held_ms, pendant.demand))


def test_a_press_counts_at_contact_and_is_decided_at_release():
    """H24: one press a release; its time is the contact's."""
    cord = Cord()
    cord.set(PRESSED)
    cord.wait(200)
    assert cord.presses == []
    cord.set(IDLE)
    assert cord.presses == [(100_000, 200, True)]
    assert not cord.pendant.fault


def test_valid_from_50_ms_to_3_s():
    """H25: the ends are inside."""
    for hold_ms, counts in ((1, 0), (49, 0), (50, 1), (3_000, 1), (3_001, 0), (9_000, 0)):
        cord = Cord()
        cord.press(hold_ms)
        cord.wait(20_000)
        assert len(cord.presses) == counts, hold_ms
        assert cord.faults == 0


def test_presses_within_2_s_are_one_demand():
    """H24: 2 presses 150 ms apart are 1 demand and 2 presses; from contact to contact, each against the last."""
    cord = Cord()
    cord.press(100)
    cord.wait(150)
    cord.press(100)
    assert [demand for _, _, demand in cord.presses] == [True, False]
    cord.wait(1_649)  # 1999 ms after the contact of the press that was no demand
    cord.press(100)
    assert not cord.presses[-1][2]
    cord.wait(1_900)  # exactly 2 s after the last contact
    cord.press(100)
    assert cord.presses[-1][2]


def test_time_of_the_second_limb_is_used():
    """The two limbs of time are compared exactly across a second's end."""
    cord = Cord(100_990)
    cord.press(60)
    cord.wait(1_940)
    cord.press(60)
    assert [(held, demand) for _, held, demand in cord.presses] == [(60, True), (60, True)]
    cord = Cord(100_990)
    cord.press(60)
    cord.wait(1_939)
    cord.press(60)
    assert not cord.presses[1][2]


def test_held_for_a_minute():
    """H25: 60 s hold: no press, one fault; basal is no business of the pendant."""
    cord = Cord()
    cord.set(PRESSED)
    cord.wait(10_000)
    assert not cord.pendant.fault
    cord.wait(1)
    assert cord.pendant.fault
    cord.wait(50_000)
    cord.set(IDLE)
    assert cord.pendant.fault
    cord.wait(1_999)
    assert cord.pendant.fault
    cord.wait(1)
    assert not cord.pendant.fault
    assert cord.presses == [] and cord.faults == 1


def test_short_and_cut_cord():
    """H25: contacts that disagree for more than 10 s are a fault and never a press."""
    for levels in (SHORT, OPEN):
        cord = Cord()
        cord.set(levels)
        cord.wait(60_000)
        assert cord.pendant.fault
        cord.set(IDLE)
        cord.wait(3_000)
        assert not cord.pendant.fault
        assert cord.presses == [] and cord.faults == 1
        cord.press(200)
        assert len(cord.presses) == 1


def test_a_short_while_pressed_is_no_press():
    """H25: NO says pressed, NC never left: nothing, however short."""
    cord = Cord()
    cord.set(SHORT)
    cord.wait(200)
    cord.set(IDLE)
    cord.wait(5_000)
    assert cord.presses == [] and cord.faults == 0


def test_transit_of_the_contacts_is_normal():
    """Short transit, where the contacts disagree, belongs to a press; long transit does not."""
    for transit_ms, counts in ((0, 1), (20, 1), (50, 1), (51, 0), (200, 0)):
        cord = Cord()
        cord.set(OPEN)
        cord.wait(transit_ms)
        cord.press(200)
        cord.wait(5_000)
        assert len(cord.presses) == counts, transit_ms


def test_chatter_of_20_hz():
    """H25: 25 ms pressed, 25 ms idle for a minute: no press, one fault."""
    cord = Cord()
    for _ in range(1_200):
        cord.press(25)
        cord.wait(25)
    assert cord.pendant.fault
    cord.wait(2_000)
    assert not cord.pendant.fault
    assert cord.presses == [] and cord.faults == 1


def test_short_chatter_is_nothing():
    """H24: bounce for 2 s gives neither a press nor a fault."""
    cord = Cord()
    for _ in range(40):
        cord.press(25)
        cord.wait(25)
    cord.wait(60_000)
    assert cord.presses == [] and cord.faults == 0


def test_bounce_around_a_press():
    """H24: trains of 5 ms at contact and at release belong to one press."""
    cord = Cord()
    for _ in range(3):
        cord.press(5)
        cord.wait(5)
    cord.press(200)
    for _ in range(3):
        cord.wait(5)
        cord.press(5)
    cord.wait(20_000)
    assert [(held, demand) for _, held, demand in cord.presses] == [(200, True)] and cord.faults == 0


def test_a_patient_in_pain_is_no_fault():
    """Presses every half second for a minute: every one is a press, the first alone a demand, and no fault."""
    cord = Cord()
    for _ in range(120):
        cord.press(200)
        cord.wait(300)
    assert len(cord.presses) == 120 and cord.faults == 0
    assert sum(demand for _, _, demand in cord.presses) == 1


def test_a_press_on_a_faulty_pendant_is_none():
    """After a fault 2 s of idle are needed before a press counts [H25]."""
    cord = Cord()
    cord.set(PRESSED)
    cord.wait(11_000)
    cord.set(IDLE)
    cord.wait(1_500)
    cord.press(200)
    assert cord.presses == []
    cord.wait(1_999)
    cord.press(200)
    assert cord.presses == [] and cord.pendant.fault
    cord.wait(2_000)
    cord.press(200)
    assert len(cord.presses) == 1 and cord.presses[0][2]


def test_held_at_power_up():
    """A button that is down when the pump boots gives no press, and a fault when it stays down [H25]."""
    cord = Cord()
    cord.pendant.set_level(0, 1, cord.t // 1000, cord.t % 1000)
    cord.levels = [0, 1]
    cord.wait(500)
    cord.set(IDLE)
    cord.wait(3_000)
    assert cord.presses == []
    cord.press(100)
    assert len(cord.presses) == 1
    cord.pendant.set_level(0, 0, cord.t // 1000, cord.t % 1000)
    cord.levels = [0, 0]
    cord.wait(0)
    cord.wait(10_001)
    assert cord.pendant.fault


def test_years_of_idle():
    """Differences of time saturate: a press after three years is a demand."""
    cord = Cord()
    cord.press(100)
    cord.t += 100_000_000 * 1000
    cord.press(100)
    assert [demand for _, _, demand in cord.presses] == [True, True]


def test_cost_of_a_wake_up():
    """NUM-02, H36: no allocation, no number past 2^30, at any age of the pump."""
    pendant = Pendant()

    def press(s=100, ms=0):
        pendant.edge(False, 1, s, ms)
        pendant.edge(True, 0, s, ms)
        pendant.poll(s, ms + 100)
        pendant.edge(True, 1, s, ms + 200)
        pendant.edge(False, 0, s, ms + 200)
        pendant.poll(s, ms + 300)
        while pendant.take():
            pass

    assert not allocates(press)
    for s in (0, 1_500_000, 300_000_000, 1_000_000_000):
        press(checked_int(s), checked_int(700))


def test_presses_that_wait_between_two_wakeups_are_taken_in_their_order():
    """H24, LIM-12: two or more while the loop was busy; the place goes round its queue, and none is told twice."""
    pendant, t_ms = Pendant(), 100_000
    for count in (2, 3, 1, 4, 2, 8, 5):
        given = []
        for k in range(count):
            hold_ms = 100 + 10 * k
            for level in (0, 1):
                pendant.edge(False, 1 - level, t_ms // 1000, t_ms % 1000)
                pendant.edge(True, level, t_ms // 1000, t_ms % 1000)
                if level == 0:
                    given.append((t_ms, hold_ms))
                    t_ms += hold_ms
            t_ms += 2_500
        assert pendant.queued == count
        taken = []
        while pendant.take():
            taken.append((pendant.contact_s * 1000 + pendant.contact_ms, pendant.held_ms))
            assert pendant.demand
        assert taken == given and pendant.queued == 0
