"""Priming: fills the line before the patient is connected, and takes up the lash of the screw [DEL-31..34, H13].

At most 1.1 x the dead space plus the lash. Booked on an account of its own, outside the therapy totals and the limits.

The first part goes slowly, as a probe: through a line that is still on the catheter, at 1 mL/h, 10 uL raise the
pressure by 0.53 kPa (650 Pa per mL/h and 9 uL/kPa), through a line that is off, with a fifth of the resistance, by 0.13
kPa. It ends as soon as that is seen: each uL of it is in the patient. With a larger compliance the probe takes as much
more, so that the figures stay. The rest follows at 10 mL/h.
"""

from pump.base.units import const, volume_nl_of_usteps
from pump.delivery.ledger import PRIME
from pump.delivery.schedule import GRANT_PL
from pump.storage import records

LASH_USTEPS = const(96)  # 24 um of screw until the nut touches and fluid moves
PROBE_NL = const(10_000)  # at PROBE_COMPLIANCE or less
PROBE_COMPLIANCE = const(9_000)  # nL/kPa
MOST_PROBE_NL = const(25_000)  # an end within 50 uL is wanted [H13]
PROBE_RISE_PA = const(360)  # more: the line is on the catheter
ATMOSPHERIC_PA = const(300)  # a no-flow pressure beyond this is that of a patient
EXTRA_PERCENT = const(2)  # the line must be full even with a syringe bore at its tolerance


class Priming:
    """Moves the dead space in grants: the probe at 1 mL/h, the rest at the machine's highest flow, 10 mL/h.

    is_connected  the probe has found the line on the catheter; nothing moves any more
    """

    def __init__(self, therapy):
        self._therapy = therapy
        self.usteps_left = 0
        self.is_connected = False
        self._usteps = 0  # moved since `prepare`
        self._period_us = 0
        self._probe_left = 0  # usteps
        self._start_pa = 0

    def prepare(self, deadspace_ul):
        """Computes the volume still to be moved for a dead space in uL, and returns it in nL.

        Volume primed before an interruption counts; a line that is full is another line, and is filled from the start.
        """
        therapy = self._therapy
        pl = therapy.ledger.pl_step
        wanted = deadspace_ul * 1000 * (100 + EXTRA_PERCENT) // 100 * 1000 // pl + LASH_USTEPS
        most = deadspace_ul * 1100 * 1000 // pl + LASH_USTEPS
        moved_nl = 0 if therapy.primed else therapy.ledger.volume_nl(PRIME) - therapy.prime_mark_nl
        moved = moved_nl * 1000 // pl
        self.usteps_left = max(1, min(wanted, most) - moved)
        self._usteps = 0
        self._period_us = max(5_000, pl * 9 // 25 + 1)  # 10 mL/h is 2777.8 nL/s: 0.36 us a picolitre
        return volume_nl_of_usteps(self.usteps_left, pl)

    def begin(self):
        """START: filling begins, at rest."""
        therapy = self._therapy
        if therapy.primed:
            therapy.filling_begins(therapy.ledger.volume_nl(PRIME))
        probe_nl = PROBE_NL * therapy.rx.compliance_nl_per_kpa // PROBE_COMPLIANCE
        probe_nl = max(PROBE_NL, min(MOST_PROBE_NL, probe_nl))
        self._probe_left = probe_nl * 1000 // therapy.ledger.pl_step + LASH_USTEPS
        self._start_pa = therapy.pressure_pa
        self.is_connected = False

    def left_nl(self):
        """Volume still to be moved, nL."""
        return volume_nl_of_usteps(self.usteps_left, self._therapy.ledger.pl_step)

    def grant_ended(self):
        """Counts the steps of the grant that has ended."""
        made = self._therapy.motion.last_made
        self._usteps += made
        self.usteps_left -= made
        if self._probe_left > 0:
            self._probe_left -= made
            self.is_connected = self._therapy.pressure_pa - self._start_pa > PROBE_RISE_PA

    def step(self):
        """Makes the next grant. Returns ms until the next call, or 0 when the line is full or found connected."""
        therapy = self._therapy
        if therapy.motion.in_flight:
            return therapy.motion.ends_in_ms(therapy.clock.s, therapy.clock.ms)
        if self.usteps_left <= 0 or self.is_connected:
            return 0
        usteps, period_us = min(self.usteps_left, GRANT_PL // therapy.ledger.pl_step), self._period_us
        if self._probe_left > 0:
            usteps, period_us = min(usteps, self._probe_left), period_us * 10
        therapy.motion.grant_fixed(PRIME, True, usteps, period_us, therapy.clock.s, therapy.clock.ms)
        return therapy.motion.ends_in_ms(therapy.clock.s, therapy.clock.ms)

    def note(self, finished):
        """Writes the record of the volume moved since `prepare`. `finished`: 1 if the line is full, else 0."""
        nl = volume_nl_of_usteps(self._usteps, self._therapy.ledger.pl_step)
        self._therapy.event_log.note(records.PRIME, (self._usteps, nl, finished))

    def check_word(self):
        """See `base.dose_guard`."""
        word = self.usteps_left ^ self._usteps ^ self._period_us
        return word ^ self._probe_left ^ self._start_pa ^ self.is_connected
