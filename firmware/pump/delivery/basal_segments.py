"""The record of basal: what it gave since the last such record, once an hour and when infusion ends."""

from pump.base.units import HOUR_S, volume_nl_of_usteps
from pump.delivery.ledger import BASAL
from pump.storage import records


class BasalSegments:
    """Of one therapy."""

    def __init__(self, therapy):
        self._therapy = therapy
        self._since_s = 0
        self._since_usteps = 0

    def begin(self):
        """Infusion starts: a segment begins."""
        self._since_s = self._therapy.clock.s
        self._since_usteps = self._therapy.ledger.usteps[BASAL]

    def close_hourly(self):
        """Closes the segment when it is an hour old. Allocates nothing until then."""
        if self._therapy.clock.s - self._since_s >= HOUR_S:
            self.close()

    def close(self):
        """Records the segment and begins the next one."""
        therapy = self._therapy
        usteps = therapy.ledger.usteps[BASAL] - self._since_usteps
        seconds = therapy.clock.s - self._since_s
        nl = volume_nl_of_usteps(usteps, therapy.ledger.pl_step)
        therapy.event_log.note(records.BASAL_SEGMENT, (therapy.fluids.tip_basal_ug_per_day, seconds, usteps, nl))
        self._since_s = therapy.clock.s
        self._since_usteps += usteps
