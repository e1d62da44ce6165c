"""What the parts of the pump share: the time, the account, the history, the alarms, the prescription in force.

Plain holder of state; what happens to it stands in `boluses`, `intake`, `monitors`, `relief`, `priming`, `recovery` and
`pump`, each of which does one thing.
"""

from pump import memory, records
from pump.alarms import Alarms
from pump.bolus import Bolus
from pump.clock import MonotonicClock
from pump.diary import Diary
from pump.history import CLINICIAN as CLINICIAN_KIND
from pump.history import PCA as PCA_KIND
from pump.history import DoseHistory
from pump.journal import BOLUS_BASE, RATE_BASE, PulseJournal
from pump.ledger import Ledger
from pump.limits import Limits, Lockouts
from pump.motion import Motion
from pump.reservoir import Reservoir
from pump.schedule import CLINICIAN, PCA
from pump.units import const
from pump.waiting import Waiting

OFF = const(0)
SELF_TEST = const(1)
STOPPED = const(2)
PRIMING = const(3)
INFUSING = const(4)
BOLUS = const(5)
ALARM = const(6)
STATES = ("off", "self_test", "stopped", "priming", "infusing", "bolus", "alarm")

# Why a state changed, for the records
BY_KEY = const(1)
BY_LINK = const(2)
BY_ALARM = const(3)
BY_PLAN = const(4)
BY_BOOT = const(5)


class Core:
    """The shared state. Times are (s, ms) of `clock`; `rx` is the confirmed Prescription or None."""

    def __init__(self, motor, nv, log):
        self.motor = motor
        self.nv = nv
        self.clock = MonotonicClock()
        self.waiting = Waiting(self.clock)
        self.state = SELF_TEST
        self.state_since_s = 0
        self.ledger = Ledger()
        self.pulse = PulseJournal(nv)
        self.memory = memory.state_journal(nv)
        self.motion = Motion(motor, self.ledger, self.pulse)
        self.reservoir = Reservoir(self.ledger)
        self.history = DoseHistory(nv, BOLUS_BASE, RATE_BASE)
        self.lockouts = Lockouts()
        self.pca = Bolus(PCA_KIND, PCA)
        self.clinician = Bolus(CLINICIAN_KIND, CLINICIAN)
        self.diary = Diary(log, self.clock)
        self.alarms = Alarms(self.diary.alarm, self.clock)
        self.rx = None  # the last confirmed prescription, also after its therapy was cancelled
        self.rx_slot = 0
        self.rx_crc = 0
        self.limits = None
        self.boot = 0
        self.sequence = 0  # of the last accepted prescription or order
        self.started = False  # the therapy of `rx` was started
        self.primed = False
        self.needs_rx = True  # only a new signed prescription leads back to infusion
        self.clock_offset_s = 0
        self.converted_s = 0  # when past mass was last restated in another drug, 0: never
        self.access_failures = 0  # log-ons that failed in a row ...
        self.access_closed_until_s = 0  # ... and until when there is none
        self.people_number = 0  # of the newest signed document that was ever here
        self.library_number = 0
        self.pressure_pa = 0
        self.flow_nl_per_h = 0  # commanded now

    @property
    def now(self):
        """The present instant (s, ms)."""
        return self.clock.s, self.clock.ms

    def infusing(self):
        """True while basal runs."""
        return self.state == INFUSING or self.state == BOLUS

    def moving(self):
        """True in the states that may grant forward motion."""
        return self.state == INFUSING or self.state == BOLUS or self.state == PRIMING

    def enter(self, state, cause):
        """Changes the state and notes it, in the records and in the next pulse."""
        if state != self.state:
            self.diary.note(records.STATE, (self.state, state, cause))
            self.state = state
            self.state_since_s = self.clock.s
        self.motion.phase = state

    def adopt_limits(self):
        """The limits of `rx` over the history; called when either was replaced."""
        self.limits = Limits(self.rx, self.history)

    def save(self):
        """Writes everything but the counters to FRAM (they are in the pulse)."""
        c, lock, h = self.clock, self.lockouts, self.history
        values = {
            "mono_s": c.s, "mono_ms": c.ms, "boot": self.boot, "sequence": self.sequence,
            "rx_slot": self.rx_slot, "rx_bytes": len(self.rx.document) if self.rx else 0, "rx_crc": self.rx_crc,
            "started": int(self.started), "primed": int(self.primed), "needs_rx": int(self.needs_rx),
            "bolus_first": h.boluses.first, "bolus_count": h.boluses.count,
            "rate_first": h.rates.first, "rate_count": h.rates.count,
            "pca_end_s": lock.pca_end[0], "pca_end_ms": lock.pca_end[1],
            "any_end_s": lock.any_end[0], "any_end_ms": lock.any_end[1],
            "pca_until_s": lock.pca_until[0], "pca_until_ms": lock.pca_until[1],
            "any_until_s": lock.any_until[0], "any_until_ms": lock.any_until[1],
            "lockout_s": self.rx.lockout_s if self.rx else 0,
            "pca_running_ng": self.pca.mass_ng if self.pca.active else 0,
            "clinician_running_ng": self.clinician.mass_ng if self.clinician.active else 0,
            "fill_nl": self.reservoir.fill_nl, "fill_mark_nl": self.reservoir.mark_nl,
            "clock_offset": self.clock_offset_s + memory.CLOCK_ZERO, "alarms": self.alarms.latched_mask(),
            "pca_mark": self.pca.mark, "clinician_mark": self.clinician.mark,
            "converted_s": self.converted_s, "access_failures": self.access_failures,
            "access_closed_until_s": self.access_closed_until_s, "people_number": self.people_number,
            "library_number": self.library_number,
        }  # fmt: skip
        values.update(memory.ledger_values(self.ledger))
        self.memory.write(values)

    def save_all(self):
        """Writes state and counters."""
        self.save()
        self.motion.write_pulse(self.clock.s, self.clock.ms)
