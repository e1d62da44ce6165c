"""Door and clamp: a bounce is no opening, and an opening is none too late."""

from pump.panel.inputs import BOUNCE_MS, STEADY_MS, Lid
from pump.panel.keys import NEVER


def opened_at_ms(*edges, until_ms=1_000):
    """Plays (ms, level) on a closed lid, polled whenever it asks. Returns the ms at which it opened, or None."""
    lid, found, due = Lid(), None, NEVER
    edges = list(edges)
    for ms in range(until_ms):
        while edges and edges[0][0] == ms:
            lid.edge(edges.pop(0)[1], 10, ms)
            due = ms
        if due == ms:
            wait_ms = lid.poll(10, ms)
            due = NEVER if wait_ms < 0 else ms + wait_ms
        if found is None and lid.is_open:
            found = ms
    return found


def test_a_bounce_of_two_milliseconds_is_no_opening():
    """ALM-08, H35: no alarm, and motion is free at once."""
    assert opened_at_ms((5, 1), (7, 0)) is None
    assert opened_at_ms((5, 1), (6, 0), (7, 1), (9, 0)) is None
    lid = Lid()
    lid.edge(1, 10, 5)
    assert lid.bars_motion() and not lid.take_opening()
    lid.edge(0, 10, 7)
    assert not lid.bars_motion() and not lid.take_opening()


def test_an_opening_counts_after_thirty_milliseconds():
    """ALM-08, RES-02: also one that bounces first; the motor is gated at the first edge."""
    assert opened_at_ms((5, 1)) == 5 + STEADY_MS
    assert opened_at_ms((5, 1), (7, 0), (9, 1)) == 9 + STEADY_MS


def test_a_contact_that_never_rests_is_open():
    """RES-02: a contact that chatters holds the motor up; after 0.2 s it is an alarm, not a pump that stands unseen."""
    chatter = [(5 + k * 3, 1 - k % 2) for k in range(300)]
    assert opened_at_ms(*chatter) == 5 + BOUNCE_MS


def test_an_opening_between_two_wake_ups_is_not_lost():
    """ALM-08: both edges come late, with their times."""
    lid = Lid()
    lid.edge(1, 10, 5)
    lid.edge(0, 10, 5 + STEADY_MS)
    assert lid.take_opening()
    lid.poll(10, 5 + 2 * STEADY_MS)
    assert not lid.take_opening() and not lid.is_open


def test_closing_counts_after_thirty_milliseconds():
    """ALM-08."""
    lid = Lid()
    lid.set_level(1, 10, 0)
    lid.edge(0, 10, 100)
    assert lid.poll(10, 129) == 1 and lid.is_open and lid.bars_motion()
    assert lid.poll(10, 130) == NEVER and not lid.is_open
