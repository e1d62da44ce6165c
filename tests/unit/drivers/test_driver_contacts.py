"""Edges of keys, pendant, door and clamp; the gate; waiting; the watchdogs."""

import pytest
from support.fakes.fake_board import Pin

START, STOP, ACK, PCA_NO, PCA_NC, DOOR, SYRINGE, HOLD = range(8)
IDLE = (1, 1, 1, 1, 0, 0, 0, 1)


@pytest.fixture
def desk(fake):
    fake.pins = [Pin(i, value=IDLE[i]) for i in range(8)]
    fake.gates = []
    fake.wake = fake.driver("wake").Wake()
    contacts = fake.driver("contacts")
    fake.contacts = contacts.Contacts(fake.pins, lambda: fake.gates.append(fake.clock.now_us), fake.wake)
    fake.out = [0, 0, 0]
    return fake


def take_all(desk):
    edges = []
    while desk.contacts.take(desk.out):
        edges.append(tuple(desk.out))
    return edges


def test_edges_come_out_in_order_with_level_and_time(desk):
    desk.clock.now_us = 5_000_000
    desk.pins[PCA_NO].drive(0)
    desk.pins[PCA_NC].drive(1)
    desk.clock.now_us = 5_200_999
    desk.pins[PCA_NO].drive(1)
    assert take_all(desk) == [(PCA_NO, 0, 5000), (PCA_NC, 1, 5000), (PCA_NO, 1, 5200)]
    assert desk.contacts.level(PCA_NC) == 1


@pytest.mark.parametrize("index", range(8))
def test_only_stop_door_and_clamp_gate_and_only_one_way(desk, index):
    """ALS-13, RES-02."""
    desk.pins[index].drive(1 - IDLE[index])
    assert len(desk.gates) == (index in (STOP, DOOR, SYRINGE))
    desk.pins[index].drive(IDLE[index])
    assert len(desk.gates) == (index in (STOP, DOOR, SYRINGE))
    assert all(pin.hard for pin in desk.pins)


def test_the_ring_counts_what_it_loses_and_keeps_the_oldest(desk):
    for i in range(100):
        desk.clock.now_us += 1000
        desk.pins[START].drive(i & 1)
    edges = take_all(desk)
    assert len(edges) == 63
    assert edges[0] == (START, 0, 1)
    assert desk.contacts.lost == 100 - 63
    desk.pins[ACK].drive(0)
    assert [edge[0] for edge in take_all(desk)] == [ACK]


@pytest.mark.parametrize("index", [STOP, DOOR, SYRINGE])
def test_a_stop_that_the_full_ring_drops_is_latched(desk, index):
    """ALS-13: a chattering cord fills the ring while the loop is busy; the stop is reported all the same, once."""
    for i in range(120):
        desk.pins[PCA_NO].drive(i & 1)
    desk.pins[index].drive(1 - IDLE[index])
    desk.pins[index].drive(IDLE[index])
    assert index not in [edge[0] for edge in take_all(desk)]
    assert [k for k in range(8) if desk.contacts.take_lost_stop(k)] == [index]
    assert not desk.contacts.take_lost_stop(index)


def test_other_lost_edges_are_no_stop(desk):
    for i in range(120):
        desk.pins[(START, ACK, PCA_NO)[i % 3]].drive(i // 3 & 1)
    take_all(desk)
    assert desk.contacts.lost > 0 and not any(desk.contacts.take_lost_stop(k) for k in range(8))


def test_stop_still_gates_when_the_ring_is_full(desk):
    """ALS-13."""
    for i in range(100):
        desk.pins[START].drive(i & 1)
    desk.pins[STOP].drive(0)
    assert len(desk.gates) == 1


def test_a_key_pressed_and_released_with_interrupts_off_is_a_press(desk):
    """ALS-13: flash is being erased; one interrupt stands for both edges, and finds the key up again."""
    desk.clock.now_us = 1_000_000
    desk.contacts.interrupts_off()
    desk.clock.now_us = 1_400_000
    desk.pins[STOP].drive(0, 1)
    desk.pins[DOOR].drive(1)
    desk.contacts.interrupts_on()
    assert take_all(desk) == [(STOP, 0, 1000), (STOP, 1, 1400), (DOOR, 1, 1400)]
    assert len(desk.gates) == 2
    desk.pins[STOP].drive(0, 1)  # a contact that bounces faster than it is read
    assert take_all(desk) == [(STOP, 1, 1400)] and len(desk.gates) == 2


def test_times_near_the_counter_wrap_are_kept(desk):
    desk.clock.now_us = ((1 << 30) - 1) * 1000
    desk.pins[START].drive(0)
    assert take_all(desk) == [(START, 0, (1 << 30) - 1)]


def test_wait_ends_with_its_time(desk):
    desk.wake.wait(5000)
    assert desk.clock.now_us == 5_000_000


def test_an_edge_before_the_wait_ends_it_at_once_and_only_once(desk):
    desk.pins[START].drive(0)
    desk.wake.wait(5000)
    assert desk.clock.now_us == 0
    desk.wake.wait(5000)
    assert desk.clock.now_us == 5_000_000


def test_an_edge_during_the_wait_ends_it(desk):
    desk.clock.interrupts.append((1_000_000, lambda: desk.pins[DOOR].drive(1)))
    desk.wake.wait(5000)
    assert desk.clock.now_us == 1_000_000
    desk.wake.wait(300)
    assert desk.clock.now_us == 1_300_000


def test_an_interrupt_without_an_edge_does_not_end_the_wait(desk):
    for us in (1_000_000, 2_000_000):
        desk.clock.interrupts.append((us, lambda: None))
    desk.wake.wait(5000)
    assert desk.clock.now_us == 5_000_000


def test_no_time_left_is_no_wait(desk):
    desk.wake.wait(0)
    desk.wake.wait(-3)
    assert desk.clock.now_us == 0


def test_watchdogs_start_with_the_first_feed_and_each_feed_is_an_edge(fake):
    """WDG-01."""
    pulse = Pin(22)
    dog = fake.driver("watchdog").Watchdog(pulse)
    assert fake.machine.watchdogs == []
    levels = []
    for _ in range(4):
        dog.feed()
        levels.append(pulse.level)
    (wdt,) = fake.machine.watchdogs
    assert (wdt.timeout, wdt.fed) == (8000, 4)
    assert levels == [1, 0, 1, 0]
