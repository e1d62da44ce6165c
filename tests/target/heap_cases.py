"""Chip side of the heap proof: the delivery tick at the ends of its range, after ten years of service.

CASES: (name, function that builds the case and returns its turn), see `on_chip`. A turn is a bound method: to call a function
that closes over more than four names allocates.
"""

from pump.clock import MonotonicClock
from pump.journal import PulseJournal
from pump.ledger import Ledger
from pump.motion import Motion
from pump.occlusion import OCCLUDED, VOLUME_MASK, BackOff, OcclusionDetector
from pump.reservoir import Reservoir
from pump.schedule import BASAL, PCA, basal_interval, bolus_interval
from pump.units import capacity_ul, pl_per_ustep, usteps_of_volume

TEN_YEARS_S = 315_576_000
TEN_YEARS_NL = 8_766_000_000  # at 0.1 mL/h
LONGEST_WAIT_MS = 5_000


class Memory:
    """A non-volatile memory that takes what it is given and keeps nothing."""

    def write(self, address, data):
        pass


class Motor:
    """A step generator that has made its grant whenever it is asked, or was stopped after `made_at_halt` steps."""

    def __init__(self):
        self._steps = 0
        self.made_at_halt = 0

    def grant(self, forward, first_us, period_us, steps):
        self._steps = steps

    def busy(self):
        return False

    def made(self):
        return self._steps

    def halt(self):
        return min(self._steps, self.made_at_halt)


class Delivery:
    """Grants planned, booked, journalled and settled; every seventh is stopped and booked back. A bolus follows the other."""

    def __init__(self, syringe, flow_nl_per_h, ug_per_ml, bolus_usteps=0, bolus_ms=0):
        pl_step = pl_per_ustep(syringe)
        basal_ug_per_day = -(-flow_nl_per_h * 24 * ug_per_ml // 1_000_000)  # a whole number, at least the flow
        ledger = Ledger()
        ledger.set_fluid(pl_step, ug_per_ml)
        ledger.book(BASAL, usteps_of_volume(TEN_YEARS_NL, pl_step))
        self._reservoir = Reservoir(ledger)
        self._reservoir.fill(capacity_ul(syringe) * 1000)
        self._reservoir.watch(1_000_000, flow_nl_per_h)
        self._motor = Motor()
        self._clock = MonotonicClock(TEN_YEARS_S, 999)
        self._motion = Motion(self._motor, ledger, PulseJournal(Memory()))
        self._motion.encoder_raw = 4095
        self._motion.begin(TEN_YEARS_S, 999)
        self._schedule = self._motion.schedule
        self._schedule.configure(pl_step)
        self._schedule.start(BASAL, basal_interval(basal_ug_per_day, ug_per_ml, pl_step))
        self._bolus_usteps = bolus_usteps
        self._bolus = bolus_interval(bolus_usteps, bolus_ms) if bolus_usteps else None

    def turn(self, i):
        clock, motion, schedule = self._clock, self._motion, self._schedule
        motion.settle(clock.s, clock.ms)
        if self._bolus and schedule.left[PCA] == 0:
            schedule.start(PCA, self._bolus, self._bolus_usteps)
        motion.go(clock.s, clock.ms)
        wait_ms = motion.lands_in_ms(clock.s, clock.ms) if motion.flying else LONGEST_WAIT_MS
        schedule.next_due_us()
        self._reservoir.is_low()
        self._reservoir.is_empty()
        if i % 7 == 6:
            self._motor.made_at_halt = i % 40
            clock.advance(wait_ms // 2)
            motion.halt(clock.s, clock.ms)
        else:
            clock.advance(wait_ms)


class Line:
    """Pressure readings every 5 s: from `low_pa` up by `climb_pa` a reading to `high_pa`, every other one off by `swing_pa`.

    The flow stops for every second five minutes, the counter of the pumped volume wraps at the hundredth reading.
    """

    def __init__(self, compliance_nl_per_kpa, flow_nl_per_h, low_pa, high_pa, climb_pa, swing_pa):
        self._flow = flow_nl_per_h
        self._low, self._span = low_pa, (high_pa - low_pa) // climb_pa
        self._climb, self._swing = climb_pa, swing_pa
        self._step_nl = max(1, flow_nl_per_h * 5 // 3600)
        self._detector = OcclusionDetector()
        self._detector.configure(compliance_nl_per_kpa)
        self._detector.start(TEN_YEARS_S, low_pa)

    def turn(self, i):
        detector = self._detector
        now_s = TEN_YEARS_S + 5 * i
        if detector.result == OCCLUDED:
            detector.start(now_s, self._low)
        pressure_pa = self._low + i % self._span * self._climb + (self._swing if i & 1 else 0)
        pumped_nl = (i - 100) * self._step_nl & VOLUME_MASK
        detector.sample(now_s, pumped_nl, pressure_pa, self._flow if i % 120 < 60 else 0)
        detector.no_flow_estimate_pa()
        detector.measured_compliance_nl_per_kpa()


class Relief:
    """The retraction after an occlusion, begun anew every fiftieth turn."""

    def __init__(self, compliance_nl_per_kpa, pressure_pa):
        self._compliance, self._pressure = compliance_nl_per_kpa, pressure_pa
        self._plan = BackOff()

    def turn(self, i):
        k = i % 50
        if k == 0:
            self._plan.start(self._pressure, -self._pressure, self._compliance)
        self._plan.step(self._pressure - k * (self._pressure // 25), k * 30_000)
        self._plan.next_nl()


CASES = (
    ("basal 10 mL/h, 5 mL, 25 mg/mL", lambda: Delivery("bd-5", 10_000_000, 25_000).turn),
    ("basal 10 mL/h, 50 mL, 25 mg/mL", lambda: Delivery("bd-50", 10_000_000, 25_000).turn),
    ("basal 0.01 mL/h, 5 mL, 25 mg/mL", lambda: Delivery("bd-5", 10_000, 25_000).turn),
    ("basal 0.01 mL/h, 50 mL, 25 mg/mL", lambda: Delivery("bd-50", 10_000, 25_000).turn),
    ("basal 0.05 mL/h, 5 mL, 1 ug/mL", lambda: Delivery("bd-5", 50_000, 1).turn),
    ("basal 10 mL/h, 50 mL, 1 ug/mL", lambda: Delivery("bd-50", 10_000_000, 1).turn),
    ("basal 5 + bolus 5 mL/h, 5 mL", lambda: Delivery("bd-5", 4_999_997, 24_989, 48_000, 1_000_003).turn),
    ("basal 0.01 + bolus 9.9 mL/h, 50 mL", lambda: Delivery("bd-50", 10_000, 999, 19_647, 1_000_003).turn),
    ("bolus of 7 usteps in an hour, 10 mL", lambda: Delivery("bd-10", 100_000, 1_000, 7, 3_600_000).turn),
    ("line 9 uL/kPa, 1 mL/h, closed", lambda: Line(9_000, 1_000_000, 0, 60_000, 154, 0).turn),
    ("line 1 uL/kPa, 10 mL/h, +-100 kPa", lambda: Line(1_000, 10_000_000, -100_000, 100_000, 2_000, 0).turn),
    ("line 40 uL/kPa, 10 mL/h, closed", lambda: Line(40_000, 10_000_000, -60_000, 69_000, 347, 0).turn),
    ("line 9 uL/kPa, 0.01 mL/h, swinging", lambda: Line(9_000, 10_000, -100_000, 100_000, 1, 100_000).turn),
    ("back-off 40 uL/kPa from 100 kPa", lambda: Relief(40_000, 100_000).turn),
)
