"""The one thing that waits for the start key, its timeout, and whether it was shown before the key was pressed.

Display and keys both read `kind`, so START never does anything that the display does not show.
"""

from pump.base.units import const
from pump.panel.pendant import ms_between

NOTHING = const(0)
PROVISIONING = const(1)  # START held: the pump takes its serial number and authority
PRESCRIPTION = const(2)  # START held: the staged prescription comes into force
ORDER = const(3)  # START pressed: the clinician bolus starts
PRIMING = const(4)  # START pressed: priming starts

# How long each kind waits [RX-06, OP EC24]
PROVISIONING_S = const(180)
PRESCRIPTION_S = const(180)
ORDER_S = const(60)
PRIMING_S = const(180)
_TIMEOUT_S = (0, PROVISIONING_S, PRESCRIPTION_S, ORDER_S, PRIMING_S)

SEEN_MS = const(500)  # a press that began sooner was meant for what the display showed before


class PendingConfirmation:
    """What START would do. `changes` counts every `put`, `turn_page` and `drop`: the display is redrawn then.

    page, pages  number of the page that the display shows, from 0, and how many there are
    refused      code with which the pump refused what waited last, at the press of START; None: it did not
    is_drawn     the display has taken all rows of the page; False for ever where the display is dead
    """

    def __init__(self, clock):
        self._clock = clock
        self._kind = NOTHING
        self._put_s = 0
        self._shown_s = self._shown_ms = 0  # when the page was drawn, or was asked for
        self._dropped_s = self._dropped_ms = 0  # when something waited last
        self.is_drawn = False
        self.refused = None
        self.page, self.pages = 0, 1
        self.changes = 0

    @property
    def kind(self):
        """What waits now; NOTHING after its timeout. No allocation."""
        return NOTHING if self.has_timed_out() else self._kind

    def has_timed_out(self):
        """True after the timeout, until `drop` or `put`."""
        return self._kind != NOTHING and self._clock.s - self._put_s > _TIMEOUT_S[self._kind]

    @property
    def kind_until_dropped(self):
        """What waits, also after its timeout."""
        return self._kind

    def put(self, kind, pages=1):
        """`kind` waits from now on, in place of anything before; all of it is on `pages` pages of the display."""
        self._kind, self._put_s = kind, self._clock.s
        self.refused = None
        self.pages = pages
        self._show(0)

    def turn_page(self):
        """The display shows the next page from now on, after the last one the first."""
        self._show((self.page + 1) % self.pages)

    def is_on_last_page(self):
        """True once each page was shown, and while the last one is: only then START does what it says."""
        return self.page == self.pages - 1

    def _show(self, page):
        self.page, self.is_drawn = page, False
        self._shown_s, self._shown_ms = self._clock.s, self._clock.ms
        self.changes += 1

    def drawn(self, changes):
        """The display has taken all rows as of `changes`. No allocation."""
        if changes == self.changes and not self.is_drawn:
            self.is_drawn = True
            self._shown_s, self._shown_ms = self._clock.s, self._clock.ms

    def vanished(self):
        """The display is dark: the page has to be drawn again before START counts."""
        self.is_drawn = False

    def refuse(self, code):
        """START was pressed or held, and what waits was refused: nothing waits from now on."""
        self.drop()
        self.refused = code

    def drop(self):
        """Nothing waits from now on."""
        if self._kind != NOTHING:
            self._kind = NOTHING
            self._dropped_s, self._dropped_ms = self._clock.s, self._clock.ms
            self.changes += 1

    def waited_at_press(self, s, ms, held_ms):
        """True if something waited while a press that ended at (s, ms) lasted, which was meant for that.

        Also if it has timed out since.
        """
        if self._kind != NOTHING:
            return True
        return ms_between(self._dropped_s, self._dropped_ms, s, ms) < held_ms

    def shown_before_press(self, s, ms, held_ms=0):
        """True if a press that began `held_ms` before (s, ms) began SEEN_MS or more after the page was drawn.

        Of a page that is not drawn yet: after it was asked for.
        """
        return ms_between(self._shown_s, self._shown_ms, s, ms) - held_ms >= SEEN_MS
