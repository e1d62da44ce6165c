"""What a hand can touch: keys, pendant, door and syringe clamp; and the hold line. As their contacts stand now."""

from pump.base.contacts import DOOR, HOLD, KEYS, PCA_NC, PCA_NO, SYRINGE
from pump.base.units import const
from pump.panel.keys import NEVER, Keys, shorter
from pump.panel.pendant import Pendant, ms_between

STEADY_MS = const(30)  # a level counts once it has been steady for so long, as that of a key
BOUNCE_MS = const(200)  # a contact that has not been steady for so long does not bounce: it is open


class Lid:
    """Door or clamp: a debounced contact, raw level 1 is open. No allocation.

    is_open     open for STEADY_MS, or restless for BOUNCE_MS, and not closed for STEADY_MS since
    has_opened  opened since the last `take_opening`

    The interrupt gates the motor at the first edge, so an opening is never acted on too late: only alarms and what
    follows an opening wait until it is certain.
    """

    def __init__(self):
        self.is_open = False
        self.has_opened = False
        self._raw = 0
        self._raw_s = self._raw_ms = 0  # time of the last change of the raw level
        self._restless = False  # a change has come, and the contact was not steady since
        self._restless_s = self._restless_ms = 0

    def set_level(self, level, s, ms):
        """The raw level at power-up, or after edges were lost: counts at once."""
        self._raw, self._raw_s, self._raw_ms = level, s, ms
        self._restless = False
        self.is_open = level == 1
        if self.is_open:
            self.has_opened = True

    def edge(self, level, s, ms):
        """The contact changed to the raw `level` at (s, ms)."""
        self.poll(s, ms)
        if level != self._raw:
            self._raw, self._raw_s, self._raw_ms = level, s, ms
            if not self._restless:
                self._restless, self._restless_s, self._restless_ms = True, s, ms

    def poll(self, s, ms):
        """Debounces up to (s, ms). Returns ms until the next call, NEVER: at the next edge."""
        if not self._restless:
            return NEVER
        steady_ms = ms_between(self._raw_s, self._raw_ms, s, ms)
        if steady_ms >= STEADY_MS:
            self._restless = False
            if self._raw:
                self._open()
            else:
                self.is_open = False
            return NEVER
        restless_ms = ms_between(self._restless_s, self._restless_ms, s, ms)
        if restless_ms < BOUNCE_MS:
            return shorter(STEADY_MS - steady_ms, BOUNCE_MS - restless_ms)
        self._open()
        return STEADY_MS - steady_ms

    def bars_motion(self):
        """True while it is open, or may be: nothing may move."""
        return self.is_open or self._raw == 1

    def take_opening(self):
        """True while it is open, and once if it was opened since the last call."""
        has_opened, self.has_opened = self.has_opened, False
        return has_opened or self.is_open

    def _open(self):
        if not self.is_open:
            self.is_open = self.has_opened = True


class Inputs:
    """Levels are raw: 0 is pressed for a key; 1 is open for the door and the clamp. No allocation.

    hold  a respiratory monitor holds the boluses [ITH-10]: its interlock line is 0
    """

    def __init__(self):
        self.keys = Keys()
        self.pendant = Pendant()
        self.door = Lid()
        self.syringe = Lid()  # the clamp of the syringe
        self.hold = False
        self._no_at_power_up = 1

    def set_level(self, contact, level, s, ms):
        """The raw level of a contact at power-up, or after edges were lost; called for each contact, in their order."""
        if contact == DOOR:
            self.door.set_level(level, s, ms)
        elif contact == SYRINGE:
            self.syringe.set_level(level, s, ms)
        elif contact == HOLD:
            self.hold = level == 0
        elif contact == PCA_NO:
            self._no_at_power_up = level
        elif contact == PCA_NC:
            self.pendant.set_level(self._no_at_power_up, level, s, ms)
        else:
            self.keys.set_level(contact, level, s, ms)

    def resync(self, contact, level, was_stop_lost, s, ms):
        """The raw level of a contact after edges were lost; called for each contact, in their order.

        How long door or clamp were open at an edge that was lost is not known: they count as opened.
        """
        if contact < KEYS:
            self.keys.resync(contact, level, was_stop_lost, s, ms)
            return
        if was_stop_lost:
            self.set_level(contact, 1, s, ms)
        self.set_level(contact, level, s, ms)

    def edge(self, contact, level, s, ms):
        """A contact changed to the raw `level` at (s, ms)."""
        if contact == DOOR:
            self.door.edge(level, s, ms)
        elif contact == SYRINGE:
            self.syringe.edge(level, s, ms)
        elif contact == HOLD:
            self.hold = level == 0
        elif contact == PCA_NO or contact == PCA_NC:
            self.pendant.edge(contact == PCA_NO, level, s, ms)
        else:
            self.keys.edge(contact, level, s, ms)

    def poll(self, s, ms):
        """Debounces and times all contacts up to (s, ms). Returns ms until the next call, NEVER: at the next edge."""
        next_ms = shorter(self.keys.poll(s, ms), self.pendant.poll(s, ms))
        return shorter(next_ms, shorter(self.door.poll(s, ms), self.syringe.poll(s, ms)))

    def open_access(self):
        """True while door or clamp is open, or may be: nothing may move."""
        return self.door.bars_motion() or self.syringe.bars_motion()

    def is_undecided(self):
        """True while a contact has gated the motor, and whether it was a bounce is not known: nothing may move."""
        return self.keys.stop_pending or self.open_access()

    def button_fault(self):
        """True while the pendant is faulty or a key is stuck."""
        return self.pendant.fault or self.keys.stuck
