"""`events` of the simulated board: what the image has in C (`image/events`), over virtual time."""

import machine


def wait_ms(ms):
    """Sleeps until the next interrupt, or for `ms` at most."""
    timeline = machine.attached().timeline
    timeline.touch()
    timeline.wait(timeline.now_us + ms * 1000)
