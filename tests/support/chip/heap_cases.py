"""Cases of the heap proof, run on the chip: the delivery tick at the ends of its range, after ten years of service.

CASES: (name, most turns, function that builds the case and returns its turn), see `on_chip`. A turn is a bound method,
because to call a function that closes over more than four names allocates.
"""

from boards import wiring
from pump.authority.access import CLINICIAN
from pump.authority.trust import Trust
from pump.base.clock import MonotonicClock
from pump.base.contacts import PCA_NC, PCA_NO, START_KEY
from pump.base.states import BOLUS, INFUSING
from pump.base.units import DAY_S, capacity_ul, flow_nl_per_h, pl_per_ustep, usteps_of_volume
from pump.controller import Controller
from pump.delivery.back_off import READINGS, BackOff
from pump.delivery.ledger import Ledger
from pump.delivery.motion import Motion
from pump.delivery.reservoir import Reservoir
from pump.delivery.schedule import BASAL, PCA, basal_interval, bolus_interval
from pump.documents.fields import COUNT_OR_NONE
from pump.monitoring.occlusion import OCCLUDED, VOLUME_MASK, OcclusionDetector
from pump.panel.pending_confirmation import PRESCRIPTION
from pump.power_up import RESET_POWER
from pump.prescribing import prescription
from pump.storage.journal import PulseJournal

RTC_S = 1_767_600_000
TEN_YEARS_S = 315_576_000
TEN_YEARS_NL = 8_766_000_000  # at 0.1 mL/h
LONGEST_WAIT_MS = 5_000
AT_REST = (1, 1, 1, 1, 0, 0, 0)  # raw levels of the contacts: keys up, button up, door closed, syringe gripped

MANY = 1_000_000
BOW = 240  # turns
WITHIN_AN_HOUR = 700  # wake-ups, at most 5 s apart: every hour a record is written, which is not the delivery tick


class Memory:
    """A non-volatile memory that reads blank and keeps nothing."""

    def write(self, address, data):
        pass

    def read_into(self, address, buf):
        for k in range(len(buf)):
            buf[k] = 0


class WrittenMemory(Memory):
    """Reads blank, but what is written goes to the FRAM on the bus."""

    def __init__(self):
        from drivers.fram import FRAM
        from machine import I2C, Pin

        sda, scl = Pin(wiring.I2C_CHIPS_SDA), Pin(wiring.I2C_CHIPS_SCL)
        self._fram = FRAM(I2C(wiring.I2C_CHIPS, scl=scl, sda=sda, freq=wiring.I2C_HZ))

    def write(self, address, data):
        self._fram.write(address, data)


class Log:
    """A record log that keeps nothing but their number."""

    def __init__(self):
        self.next_sequence = 0

    def room_wanted(self):
        return False

    def append(self, boot, kind, s, ms, utc_s, rx_hash, payload, flags=0):
        self.next_sequence += 1


class Motor:
    """A step generator that has made its grant whenever it is asked, or was stopped after `made_at_halt` steps."""

    def __init__(self):
        self.gated = False
        self.granted = 0
        self.made_at_halt = 0

    def enable(self, on):
        pass

    def grant(self, forward, first_us, period_us, steps):
        self.granted = steps
        return True

    def busy(self):
        return False

    def made(self):
        return self.granted

    def halt(self):
        return min(self.granted, self.made_at_halt)


def basal_of(flow, ug_per_ml):
    """The least whole ug/day that gives at least `flow` nL/h."""
    return -(-flow * 24 * ug_per_ml // 1_000_000)


class Delivery:
    """Grants planned, booked, journalled, settled; every seventh is stopped and booked back. Bolus follows bolus."""

    def __init__(self, syringe, flow, ug_per_ml, bolus_usteps=0, bolus_ms=0):
        pl_step = pl_per_ustep(syringe)
        ledger = Ledger()
        ledger.set_fluid(pl_step, ug_per_ml)
        ledger.book(BASAL, usteps_of_volume(TEN_YEARS_NL, pl_step))
        self._reservoir = Reservoir(ledger)
        self._reservoir.fill(capacity_ul(syringe) * 1000)
        self._reservoir.set_thresholds(1_000_000, flow)
        self._motor = Motor()
        self._clock = MonotonicClock(TEN_YEARS_S, 999)
        self._motion = Motion(self._motor, ledger, PulseJournal(Memory()))
        self._motion.enter(BOLUS)
        self._motion.encoder_raw = 4095
        self._motion.begin(TEN_YEARS_S, 999)
        self._schedule = self._motion.schedule
        self._schedule.configure(pl_step)
        self._schedule.start(BASAL, basal_interval(basal_of(flow, ug_per_ml), ug_per_ml, pl_step))
        self._bolus_usteps = bolus_usteps
        self._bolus = bolus_interval(bolus_usteps, bolus_ms) if bolus_usteps else None

    def turn(self, i):
        clock, motion, schedule = self._clock, self._motion, self._schedule
        motion.settle(clock.s, clock.ms)
        if self._bolus and schedule.left[PCA] == 0:
            schedule.start(PCA, self._bolus, self._bolus_usteps)
        motion.grant_due(clock.s, clock.ms)
        wait_ms = motion.ends_in_ms(clock.s, clock.ms) if motion.in_flight else LONGEST_WAIT_MS
        schedule.next_due_us()
        self._reservoir.is_low()
        self._reservoir.is_empty()
        if i % 7 == 6:
            self._motor.made_at_halt = i % 40
            clock.advance(wait_ms // 2)
            motion.halt(clock.s, clock.ms)
        else:
            clock.advance(wait_ms)


class Therapy:
    """The whole pump infuses: every wake-up with fresh readings, as in the main loop.

    With `closing` the line seems to close, in a bow too bent to be true: judged over all its points, and no alarm.
    With `watched` somebody is logged on, and a prescription waits for its confirmation.
    """

    def __init__(
        self, syringe, flow, ug_per_ml, bolus_ug=0, bolus_s=3600, compliance=9_000,
        closing=False, watched=False, nv=None,
    ):  # fmt: skip
        self._motor = Motor()
        self._pump = pump = Controller(self._motor, nv or Memory(), Log(), Trust(None), None)
        self._therapy = therapy = pump.therapy
        pump.power_up.restore(RTC_S, True, RESET_POWER)
        for contact, level in enumerate(AT_REST):
            pump.front_panel.set_level(contact, level)
        pump.power_up.self_tested(-1)
        therapy.clock.s = TEN_YEARS_S
        therapy.rx = prescription.parse(_document(syringe, flow, ug_per_ml, bolus_ug, bolus_s, compliance))
        therapy.fluids.named(therapy.rx, False)
        therapy.ledger.book(BASAL, usteps_of_volume(TEN_YEARS_NL, therapy.ledger.pl_step))
        therapy.reservoir.fill(therapy.rx.fill_ul * 1000)
        therapy.needs_rx, therapy.primed = False, True
        pump.prescription_change.prepare()
        pump.monitors.configure()
        self._closing = closing
        self._wait_ms = 1
        self._press(START_KEY)
        if bolus_ug:
            self._press(PCA_NO, PCA_NC)
        if therapy.state != (BOLUS if bolus_ug else INFUSING):
            raise ValueError("the pump does not infuse as the case wants")
        if watched:
            pump.access.role, pump.access._last_command_s = CLINICIAN, TEN_YEARS_S + DAY_S
            pump.prescription_change._staged = therapy.rx
            therapy.confirmation.put(PRESCRIPTION)
            therapy.confirmation._put_s = TEN_YEARS_S + DAY_S  # and does not time out

    def _press(self, contact, opposite=None):
        pump, clock = self._pump, self._therapy.clock
        for level, hold_ms in ((0, 200), (1, 60)):
            pump.front_panel.edge(contact, level, clock.s, clock.ms)
            if opposite is not None:
                pump.front_panel.edge(opposite, 1 - level, clock.s, clock.ms)
            self._wait_ms = hold_ms
            self.turn(level)

    def turn(self, i):
        therapy, monitors = self._therapy, self._pump.monitors
        if not self._pump.guard.is_whole(False):
            raise ValueError("a dose variable has changed")
        therapy.clock.advance(self._wait_ms)
        motion = therapy.motion
        usteps = motion.commanded + (self._motor.granted if motion.in_flight else 0)
        monitors.sample_encoder(usteps * 32 // 25 & 4095)
        noise = i * 7 % 13
        k = i % BOW if self._closing else 0
        monitors.sample_pressure(1500 + noise + k * 28 + k * (BOW - k) // 56, 8_489_272 + noise * 67, 0x40)
        self._wait_ms = self._pump.step()
        self._pump.seal(False)


def closing_line(memory):
    """The most that can come together: two streams of steps, an alarm that stands, a line that may be closed."""
    return Therapy("bd-5", 5_000_000, 1_000, 817, bolus_s=600, compliance=40_000, closing=True, nv=memory)


def _document(syringe, flow, ug_per_ml, bolus_ug, bolus_s, compliance):
    """A prescription without limits, as text."""
    basal = basal_of(flow, ug_per_ml)
    stated = {
        "type": "prescription", "version": 1, "drug": "test-fluid", "concentration_ug_per_ml": ug_per_ml,
        "basal_ug_per_day": basal, "flow_nl_per_h": flow_nl_per_h(basal, ug_per_ml), "bolus_ug": bolus_ug,
        "bolus_duration_s": bolus_s, "syringe": syringe, "fill_ul": capacity_ul(syringe),
        "compliance_nl_per_kpa": compliance,
        "sequence": 1, "lockout_s": 60, "deadspace_ul": 300,
    }  # fmt: skip
    parts = []
    for key, kind in prescription.FIELDS:
        value = stated.get(key, "none" if kind == COUNT_OR_NONE else "x")
        text = str(value) if isinstance(value, int) else f'"{value}"'
        parts.append(f'"{key}":{text}')
    return "{" + ",".join(parts) + "}"


class Line:
    """Pressure readings every 5 s, from `low_pa` up by `climb_pa` a reading to `high_pa`, and again.

    With a `swing_pa` every other reading is off by it, and the flow stops for five minutes in ten. The counter of the
    pumped volume wraps at the hundredth reading.
    """

    def __init__(self, compliance_nl_per_kpa, flow, low_pa, high_pa, climb_pa, swing_pa):
        self._flow = flow
        self._low, self._span = low_pa, (high_pa - low_pa) // climb_pa
        self._climb, self._swing = climb_pa, swing_pa
        self._step_nl = max(1, flow * 5 // 3600)
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
        flows = self._swing == 0 or i % 120 < 60
        detector.sample(now_s, pumped_nl, pressure_pa, self._flow if flows else 0)
        detector.no_flow_estimate_pa()
        detector.measured_compliance_nl_per_kpa()


class Relief:
    """The retraction after an occlusion, restarted every fiftieth turn."""

    def __init__(self, compliance_nl_per_kpa, pressure_pa):
        self._compliance, self._pressure = compliance_nl_per_kpa, pressure_pa
        self._plan = BackOff()

    def turn(self, i):
        k = i % 50
        if k == 0:
            self._plan.start(-self._pressure, self._compliance, 700_000, 20_000)
        for n in range(READINGS):
            self._plan.reading(self._pressure - k * (self._pressure // 25), k * 20_000 + n * 20)
        if k % 3:
            self._plan.pulled(self._plan.next_nl())


class Drivers:
    """What a tick asks of the board: the real drivers on the real PIO, on two buses where every address answers."""

    def __init__(self):
        from drivers.abp2 import ABP2
        from drivers.as5600 import AS5600
        from drivers.fram import FRAM
        from drivers.stepper import StepGenerator
        from machine import I2C, Pin

        chips = I2C(wiring.I2C_CHIPS, scl=Pin(wiring.I2C_CHIPS_SCL), sda=Pin(wiring.I2C_CHIPS_SDA), freq=wiring.I2C_HZ)
        line = I2C(wiring.I2C_LINE, scl=Pin(wiring.I2C_LINE_SCL), sda=Pin(wiring.I2C_LINE_SDA), freq=wiring.I2C_HZ)
        self._encoder, self._pressure, self._fram = AS5600(chips), ABP2(line), FRAM(chips)
        pins = {
            "step": Pin(wiring.STEP, Pin.OUT),
            "direction": Pin(wiring.DIR, Pin.OUT),
            "enn": Pin(wiring.ENN, Pin.OUT),
        }
        self._steps = StepGenerator(wiring.STEP_MACHINE, **pins)
        self._pulse = bytearray(64)

    def turn(self, i):
        self._encoder.read()
        self._pressure.read_pa()
        self._pressure.trigger()
        steps = self._steps
        steps.busy()
        steps.made()
        steps.halt()
        self._fram.write(64 * (i & 1), self._pulse)
        steps.grant(i & 1 == 0, 5_000, 5_000, 1 + i % 34)
        steps.made()


CASES = (
    ("drivers", MANY, lambda: Drivers().turn),
    ("grants: 10 mL/h, 5 mL, 25 mg/mL", MANY, lambda: Delivery("bd-5", 10_000_000, 25_000).turn),
    ("grants: 10 mL/h, 50 mL, 25 mg/mL", MANY, lambda: Delivery("bd-50", 10_000_000, 25_000).turn),
    ("grants: 10 mL/h, 50 mL, 1 ug/mL", MANY, lambda: Delivery("bd-50", 10_000_000, 1).turn),
    ("grants: 0.01 mL/h, 5 mL, 25 mg/mL", MANY, lambda: Delivery("bd-5", 10_000, 25_000).turn),
    ("grants: 0.01 mL/h, 50 mL, 25 mg/mL", MANY, lambda: Delivery("bd-50", 10_000, 25_000).turn),
    ("grants: 0.05 mL/h, 5 mL, 1 ug/mL", MANY, lambda: Delivery("bd-5", 50_000, 1).turn),
    ("grants: 5 + bolus 5 mL/h, 5 mL", MANY, lambda: Delivery("bd-5", 4_999_997, 24_989, 48_000, 1_000_003).turn),
    ("grants: 0.01 + bolus 9.9 mL/h, 50 mL", MANY, lambda: Delivery("bd-50", 10_000, 999, 19_647, 1_000_003).turn),
    ("grants: bolus of 7 usteps in an hour", MANY, lambda: Delivery("bd-10", 100_000, 1_000, 7, 3_600_000).turn),
    ("line: 9 uL/kPa, 1 mL/h, closed", MANY, lambda: Line(9_000, 1_000_000, 0, 60_000, 154, 0).turn),
    ("line: 40 uL/kPa, 1 mL/h, closed", MANY, lambda: Line(40_000, 1_000_000, -60_000, 60_000, 35, 0).turn),
    ("line: 40 uL/kPa, 10 mL/h, closed", MANY, lambda: Line(40_000, 10_000_000, -60_000, 60_000, 347, 0).turn),
    ("line: 1 uL/kPa, 10 mL/h, leaps", MANY, lambda: Line(1_000, 10_000_000, -100_000, 0, 2_000, 100_000).turn),
    ("line: 9 uL/kPa, 0.01 mL/h, leaps", MANY, lambda: Line(9_000, 10_000, -100_000, 0, 1, 100_000).turn),
    ("back-off: 40 uL/kPa from 100 kPa", MANY, lambda: Relief(40_000, 100_000).turn),
    ("pump: 10 mL/h, 5 mL, 25 mg/mL", WITHIN_AN_HOUR, lambda: Therapy("bd-5", 10_000_000, 25_000).turn),
    ("pump: 0.01 mL/h, 50 mL, 1 mg/mL", WITHIN_AN_HOUR, lambda: Therapy("bd-50", 10_000, 1_000).turn),
    ("pump: 1 mL/h, somebody logged on", WITHIN_AN_HOUR, lambda: Therapy("bd-10", 1_000_000, 1_000, watched=True).turn),
    ("pump: 0.1 + bolus 4 mL/h, 10 mL", WITHIN_AN_HOUR, lambda: Therapy("bd-10", 100_000, 1_000, 4_000).turn),
)

# What CASES leaves out: everything at once, and the pulse that a grant really writes, 64 bytes at 400 kHz.
HARD = (
    ("everything at once, 5 + bolus 4.9 mL/h", WITHIN_AN_HOUR, lambda: closing_line(Memory()).turn),
    ("10 mL/h, FRAM written", WITHIN_AN_HOUR, lambda: Therapy("bd-5", 10_000_000, 25_000, nv=WrittenMemory()).turn),
    ("everything at once, FRAM written", WITHIN_AN_HOUR, lambda: closing_line(WrittenMemory()).turn),
)
