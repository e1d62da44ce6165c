"""Watches what the sensors say while the pump runs, and raises the alarms.

Fed with the readings of this wake-up, judged in `step`; no allocation. Sensors are read and judged in simulation as
on the board: nothing here knows what it runs on.
"""

from pump import alarms as alarm
from pump.core import PRIMING
from pump.ledger import EXCESS
from pump.motion_check import OVER, SECOND_CHANNEL, STALL, MotionCheck
from pump.occlusion import OCCLUDED, TREND, OcclusionDetector
from pump.pressure_check import FAULT, SOON_MS, SUSPICIOUS, PressureCheck
from pump.units import const

RECOVERY_MS = const(1_000)  # a failed sensor is looked at so often, to see that it is well again
PRIME_RISE_PA = const(20_000)  # 10 mL/h through three times the usual resistance
SILENT_READINGS = const(3)  # a chip that does not answer this often in a row has failed
_PUMPED_MASK = const(0xFFFFFFF)


class Monitors:
    """The sensors of one pump against its therapy."""

    def __init__(self, core):
        self._core = core
        self._occlusion = OcclusionDetector()
        self._pressure = PressureCheck()
        self._encoder = MotionCheck()
        self.encoder_raw = 0
        self.again_in_ms = -1  # when readings are wanted before the next deadline
        self._fresh = False  # a pressure came in since the last step
        self._verdict = 0
        self._amiss = False  # door, clamp or button, at the last step
        self._pressure_silent = self._encoder_silent = 0
        self._excess = 0  # usteps of excess already booked since `start`
        self._made = 0  # usteps of the grant in flight that `_pumped_nl` holds already
        self._commanded = 0
        self._pumped_nl = self._pumped_rest = 0
        self._told = None  # compliance and microstep that the detector knows
        self._line_is_new = True
        self._from_pa = 0  # pressure when motion began

    # -- readings

    def feel_encoder(self, raw):
        """Angle of the screw, 0..4095."""
        self.encoder_raw = raw
        self._encoder_silent = 0
        if not self._core.motion.flying:
            self._core.motion.encoder_raw = raw  # where the screw stands, for the next pulse

    def encoder_silent(self):
        """The encoder did not answer."""
        self._encoder_silent += 1

    def feel_pressure(self, pressure_pa, raw, status):
        """Line pressure in Pa, with the converter's count and status byte."""
        self._core.pressure_pa = pressure_pa
        self._pressure_silent = 0
        self._fresh = True
        self._verdict = self._pressure.feel(raw, status)

    def pressure_silent(self):
        """The pressure sensor did not answer."""
        self._pressure_silent += 1

    # -- therapy

    def configure(self):
        """A prescription was confirmed: what is known of the line. The same set goes on as it was."""
        told = (self._core.rx.compliance_nl_per_kpa, self._core.ledger.pl_step)
        if told != self._told:
            self._told = told
            self._line_is_new = True
            self._occlusion.configure(told[0], told[1])

    def infusion_starts(self):
        """The line is at its no-flow pressure: noted for a new line and after an occlusion, kept otherwise.

        Stop and start must not hide a line that is closing: pressure against pumped volume goes on where it was.
        """
        core = self._core
        if self._line_is_new or self._occlusion.result == OCCLUDED:
            self._line_is_new = False
            self._occlusion.start(core.clock.s, core.pressure_pa)

    def start(self):
        """Motion begins from rest: the screw is where the encoder says."""
        core = self._core
        self._pressure.restart()
        self._from_pa = core.pressure_pa
        self._encoder.start(self.encoder_raw, core.ledger.pl_step, core.motion.commanded)
        self._excess = self._made = 0
        self._commanded = core.motion.commanded

    def no_flow_pa(self):
        """Line pressure without flow, as last known."""
        return self._occlusion.no_flow_estimate_pa()

    def compliance_nl_per_kpa(self):
        """Compliance of the line, as the occlusion showed it or as configured."""
        return self._occlusion.measured_compliance_nl_per_kpa()

    # -- judging

    def step(self, door_open, syringe_off, button_fault):
        """Judges the readings, and raises or ends alarms."""
        core = self._core
        self.again_in_ms = -1
        moving = core.moving()
        amiss = door_open or syringe_off or button_fault
        if amiss or self._amiss:  # while all is well, and was before, there is nothing to raise or to end
            self._amiss = amiss
            self._judge_contacts(moving, door_open, syringe_off, button_fault)
        if self._verdict or self._pressure_silent or self._encoder_silent or core.alarms.active(alarm.SENSOR):
            self._judge_sensors(moving)
        if core.infusing():
            self._judge_reservoir()
            self._judge_line()
        elif core.state == PRIMING and core.pressure_pa - self._from_pa > PRIME_RISE_PA:
            core.alarms.occur(alarm.OCCLUSION_DOWNSTREAM)  # an open end lets go: this one is shut, or not open at all

    def _judge_contacts(self, moving, door_open, syringe_off, button_fault):
        alarms = self._core.alarms
        if moving:
            if door_open:
                alarms.raise_(alarm.DOOR)
            if syringe_off:
                alarms.raise_(alarm.SYRINGE)
        if not door_open:
            alarms.condition_gone(alarm.DOOR)
        if not syringe_off:
            alarms.condition_gone(alarm.SYRINGE)
        if button_fault:
            alarms.raise_(alarm.BUTTON)
        else:
            alarms.condition_gone(alarm.BUTTON)

    def _judge_sensors(self, moving):
        alarms = self._core.alarms
        failed = self._pressure_silent >= SILENT_READINGS or self._encoder_silent >= SILENT_READINGS
        suspicious = self._pressure_silent or self._encoder_silent or self._verdict == SUSPICIOUS
        if self._verdict == FAULT:
            failed = True
        if alarms.active(alarm.SENSOR):
            self.again_in_ms = RECOVERY_MS
        elif moving and suspicious:
            self.again_in_ms = SOON_MS
        if not failed:
            if not self._pressure_silent and not self._encoder_silent:
                alarms.condition_gone(alarm.SENSOR)
        elif moving:
            alarms.raise_(alarm.SENSOR)

    def _judge_reservoir(self):
        reservoir = self._core.reservoir
        if not reservoir.is_low():
            return
        if reservoir.is_empty():
            self._core.alarms.raise_(alarm.RESERVOIR_EMPTY)
        else:
            self._core.alarms.raise_(alarm.RESERVOIR_LOW)

    def _judge_line(self):
        """Downstream occlusion, by pressure against the volume that was really pumped."""
        if not self._fresh:
            return
        self._fresh = False
        core = self._core
        self._count_pumped()
        found = self._occlusion.sample(core.clock.s, self._pumped_nl, core.pressure_pa, core.flow_nl_per_h)
        if found == OCCLUDED:
            core.alarms.occur(alarm.OCCLUSION_DOWNSTREAM)
        elif found == TREND:
            core.alarms.raise_(alarm.OCCLUSION_TREND)
        else:
            core.alarms.condition_gone(alarm.OCCLUSION_TREND)

    def _count_pumped(self):
        motion = self._core.motion
        made = self._core.motor.made() if motion.flying else 0
        usteps = motion.commanded - self._commanded + made - self._made
        self._commanded, self._made = motion.commanded, made
        picolitres = usteps * self._core.ledger.pl_step + self._pumped_rest
        self._pumped_nl = (self._pumped_nl + picolitres // 1000) & _PUMPED_MASK
        self._pumped_rest = picolitres % 1000

    def grant_ended(self):
        """Nothing moves now: compares the screw with what was commanded [ALM-01, ALM-10, ALM-12]."""
        core = self._core
        core.motion.encoder_raw = self.encoder_raw
        if self._encoder_silent or not core.moving():
            return
        verdict = self._encoder.feel(core.motion.commanded, self.encoder_raw)
        excess = self._encoder.excess_usteps
        if excess > self._excess:
            core.ledger.book(EXCESS, excess - self._excess)
            self._excess = excess
        if verdict == STALL:
            core.alarms.occur(alarm.STALL)
        elif verdict == OVER:
            core.alarms.occur(alarm.OVER_INFUSION)
        elif verdict == SECOND_CHANNEL:
            core.alarms.occur(alarm.SECOND_CHANNEL)
