"""`events` of the simulated board, in virtual time; the image has it in C (`image/events`)."""

import machine


def wait_ms(ms):
    """Sleeps until the next interrupt, `ms` at most."""
    timeline = machine.attached().timeline
    timeline.touch()
    timeline.wait(timeline.now_us + ms * 1000)
