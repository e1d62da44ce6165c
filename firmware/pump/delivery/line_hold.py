"""What the line holds beyond its no-flow pressure, and whether that is owed back: relief [OCC-04, OCC-05, H14].

A line that closes stores what is pumped into it, and lets it go into the patient when it opens. So what it holds when
motion ends is drawn back first. The no-flow pressure and the volume owed lie in FRAM (`storage/line_journal.py`): a
power cut is such an end, and the pressure that is found after it is no reference.

Units: volume nL, pressure Pa (gauge), compliance nL/kPa. No allocation.
"""

from pump.base.units import const
from pump.storage.line_journal import CREDITED, KNOWN, MOVED, LineJournal

OWED_NL = const(10_000)  # what a line may hold beyond what its flow explains, and keep
RISE_AT_REST_PA = const(400)  # a closed line at rest does not rise; noise, drift and warmth stay below this
MOST_NL = const(1_500_000)  # [OCC-05]
MOST_USTEPS = const(30_000)
USTEPS_MASK = const(0xFFFFFFF)


def volume_nl(pressure_pa, compliance_nl_per_kpa):
    """Volume that a pressure stores, nL; 0 below 0. Pressure up to 200 kPa, compliance up to 40 uL/kPa."""
    return max(0, pressure_pa) // 10 * (compliance_nl_per_kpa // 10) // 10


class LineHold:
    """The line of one pump.

    is_known    the no-flow pressure was seen
    no_flow_pa  line pressure without flow, as a pause, a probe or an open line last showed it
    owed_nl     volume that relief has to draw back; 0: nothing is owed
    is_judged   False: motion has ended, and it is not known yet whether the line holds something
    """

    def __init__(self, nv, ledger):
        self._journal = LineJournal(nv)
        self._ledger = ledger
        self.is_known = False
        self.no_flow_pa = self.owed_nl = 0
        self.is_judged = True
        self.is_credited = True  # what is drawn back was booked on an account of the therapy, not on that of priming
        self._is_open = False  # the pressure at rest is that of the patient
        self._is_watched = False  # flow explains what the line holds, if it relaxes: START need not wait for it
        self._flags = self._mark = 0

    def restore(self):
        """Brings back what FRAM has kept."""
        if self._journal.restore():
            kept = self._journal
            self.is_known, self.is_judged = kept.flags & KNOWN != 0, kept.flags & MOVED == 0
            self.is_credited = kept.flags & CREDITED != 0
            self.no_flow_pa, self.owed_nl, self._mark = kept.no_flow_pa, kept.owed_nl, kept.mark

    def is_open_question(self):
        """True while relief is owed, or while the line is watched to see whether it is."""
        return self.owed_nl > 0 or not self.is_judged

    def bars_start(self):
        """True while START must do nothing: relief is owed, or power failed in motion and it is not yet known."""
        return self.owed_nl > 0 or not (self.is_judged or self._is_watched)

    def pumped_nl(self):
        """Volume pumped since the no-flow pressure was seen, at most some millilitres: a line cannot hold more."""
        usteps = (self._ledger.drawn_usteps() - self._mark) & USTEPS_MASK
        return min(usteps, MOST_USTEPS) * (self._ledger.pl_step // 8) // 125

    def most_nl(self):
        """The most that the line can hold: what was pumped since, and what a relief may have left."""
        return self.pumped_nl() + OWED_NL // 2

    # -- what was seen

    def note_no_flow(self, pressure_pa):
        """This is the pressure of the open line without flow, as a probe has just shown while motion goes on."""
        self.no_flow_pa = pressure_pa
        self.is_known = True
        self._mark = self._ledger.drawn_usteps()
        self._write()

    def begin_motion(self, pressure_pa, compliance_nl_per_kpa, is_credited):
        """Motion begins out of a rest at `pressure_pa`, which is the no-flow pressure if the line is surely open.

        A line that may be closed keeps up to OWED_NL at every stop: a reference that followed it from start to start
        would hide a closed line. Pressure that has risen at rest comes from the patient.
        """
        above_nl = volume_nl(pressure_pa - self.no_flow_pa, compliance_nl_per_kpa)
        kept_nl = OWED_NL + volume_nl(RISE_AT_REST_PA, compliance_nl_per_kpa)
        is_other = is_credited != self.is_credited  # filled in the air, then joined to the patient
        if not self.is_known or self._is_open or is_other or not 0 < above_nl <= min(kept_nl, self.most_nl()):
            self.note_no_flow(pressure_pa)
        self._is_open = self._is_watched = self.is_judged = False
        self.is_credited = is_credited
        self._write()

    def end_motion(self, no_flow_pa, held_nl, flow_nl):
        """Motion has ended in a line that holds `held_nl` above its no-flow pressure, of which flow explains `flow_nl`.

        What flow explains is gone soon, if the line is open: it is watched.
        """
        self.no_flow_pa = no_flow_pa
        if held_nl - flow_nl > OWED_NL or held_nl <= OWED_NL:
            self.owe(held_nl if held_nl > OWED_NL else 0)
        else:
            self._is_watched = True

    def owe(self, owed_nl):
        """Relief owes `owed_nl` (0: nothing)."""
        self.is_judged = True
        self.owed_nl = min(MOST_NL, owed_nl)
        self._write()

    def settle(self, opened_pa=None):
        """Relief is done. `opened_pa`: the line is open, and this is its pressure."""
        self.owed_nl = 0
        self.is_judged = True
        if opened_pa is None:
            self._write()
        else:
            self._is_open = True
            self.note_no_flow(opened_pa)

    def _write(self):
        flags = KNOWN if self.is_known else 0
        flags |= (0 if self.is_judged else MOVED) | (CREDITED if self.is_credited else 0)
        self._journal.write(flags, self.no_flow_pa, self.owed_nl, self._mark)
