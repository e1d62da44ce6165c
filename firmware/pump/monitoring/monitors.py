"""Checks the sensor readings while the pump runs, and raises and ends the alarms.

The main loop passes in the readings of each wake-up (`sample_*`, `*_silent`), then the controller calls `step`. No
allocation. Simulation and board run the same checks: this module has no access to the hardware.
"""

from pump.base.states import PRIMING
from pump.base.units import const
from pump.delivery.ledger import EXCESS
from pump.monitoring import alarms as alarm
from pump.monitoring.line_band import LineBand
from pump.monitoring.motion_check import OVER, SECOND_CHANNEL, STALL, MotionCheck
from pump.monitoring.occlusion import OCCLUDED, TREND, OcclusionDetector
from pump.monitoring.pressure_check import FAULT, SOON_MS, SUSPICIOUS, PressureCheck

RECOVERY_MS = const(1_000)  # interval at which a failed sensor is read, to detect its recovery
PRIME_ML_H = const(10)
PRIME_RISE_PA = const(20_000)  # 10 mL/h through three times the usual resistance
# After these the pump is not trusted with any motion, backward neither.
NO_RELIEF = bytes((alarm.OVER_INFUSION, alarm.SECOND_CHANNEL, alarm.SELF_TEST, alarm.CONFIG, alarm.SUPPLY))
NOT_YET = const(-1)
SETTLED_S = const(100)  # twice the time constant of the softest line
MOST_LOOK_NL = const(1_000_000)
BAND_S = const(10)  # interval of the readings for the band of the line
SILENT_READINGS = const(3)  # readings in a row without an answer, after which a sensor has failed
_PUMPED_MASK = const(0xFFFFFFF)


class Monitors:
    """The checks of pressure, encoder, contacts, reservoir and line for one `therapy`."""

    def __init__(self, therapy):
        self._therapy = therapy
        self._occlusion = OcclusionDetector()
        self._band = LineBand()
        self._band_s = 0  # of the last reading that it was given
        self._pressure = PressureCheck()
        self._encoder = MotionCheck()
        self.encoder_raw = 0
        self.again_in_ms = -1  # ms until the next readings are wanted, -1: at the next deadline
        self._fresh = False  # a pressure was sampled since the last step
        self._verdict = 0  # of the pressure check
        self._contact_fault = False  # door, clamp or button, at the last step
        self._pressure_silent = self._encoder_silent = 0
        self._encoder_has_failed = False
        self._excess = 0  # usteps of excess already booked since `start`
        self._made = 0  # usteps of the grant in flight that `_pumped_nl` includes already
        self._commanded = 0  # net usteps commanded that `_pumped_nl` includes
        self._pumped_nl = self._pumped_rest = 0
        self._line = None  # compliance and pL per ustep that the detector is configured for
        self._line_is_new = True  # the next infusion starts the detector
        self._start_pa = 0  # pressure when motion began
        self._settles_s = NOT_YET  # when the line that was started is looked at next
        self._settled_nl, self._settled_pa = NOT_YET, 0  # pumped volume and pressure at the first look

    # -- readings

    def sample_encoder(self, raw):
        """A reading of the encoder: angle of the screw, 0..4095."""
        self.encoder_raw = raw
        self._encoder_silent = 0
        if not self._therapy.motion.in_flight:
            self._therapy.motion.note_encoder(raw)

    def encoder_silent(self):
        """The encoder did not answer."""
        self._encoder_silent += 1

    def sample_pressure(self, pressure_pa, raw, status):
        """A reading of the line pressure in Pa, with the converter's raw count and status byte."""
        self._therapy.note_pressure(pressure_pa)
        self._pressure_silent = 0
        self._fresh = True
        self._verdict = self._pressure.sample(raw, status)

    def pressure_silent(self):
        """The pressure sensor did not answer."""
        self._pressure_silent += 1

    # -- therapy

    def configure(self):
        """A prescription was confirmed: configures the occlusion detector. An unchanged line keeps its state."""
        self._encoder_has_failed = False
        line = (self._therapy.rx.compliance_nl_per_kpa, self._therapy.ledger.pl_step)
        if line != self._line:
            self._line = line
            self._line_is_new = True
            self._occlusion.configure(line[0], line[1])

    def line_was_relieved(self):
        """Fluid was drawn back: pressure against pumped volume does not go on from its last value."""
        self._line_is_new = True

    def infusion_starts(self):
        """Starts the occlusion detector at the no-flow pressure, for a new line or after an occlusion.

        Otherwise the detector keeps its state, so that stop and start do not hide a line that is closing.
        """
        therapy = self._therapy
        if self._line_is_new or self._occlusion.result == OCCLUDED:
            if self._line_is_new:
                self._band.start(therapy.clock.s)
            self._line_is_new = False
            self._occlusion.start(therapy.clock.s, therapy.line.no_flow_pa)
        self._settles_s = therapy.clock.s + SETTLED_S
        self._settled_nl = NOT_YET

    def start(self):
        """Motion starts from rest: takes pressure, encoder and commanded count as references."""
        therapy = self._therapy
        self._pressure.restart()
        self._start_pa = therapy.pressure_pa
        self._encoder.start(self.encoder_raw, therapy.ledger.pl_step, therapy.motion.commanded)
        self._excess = self._made = 0
        self._commanded = therapy.motion.commanded

    def no_flow_pa(self):
        """No-flow pressure of the line in Pa, as last known: in an occlusion that from before the line closed."""
        if self._occlusion.result == OCCLUDED:
            return self._occlusion.no_flow_estimate_pa()
        return self._therapy.line.no_flow_pa

    def flow_drop_pa(self):
        """Pressure that the flow of just now makes in the open line, Pa."""
        if self._therapy.state == PRIMING:
            return PRIME_ML_H * self._occlusion.resistance_pa_per_ml_h
        return self._occlusion.flow_drop_pa()

    def best_compliance_nl_per_kpa(self):
        """Compliance of the line: measured in an occlusion, else as configured."""
        return self._occlusion.best_compliance_nl_per_kpa()

    def resistance_pa_per_ml_h(self):
        """Resistance of the open line, as learnt."""
        return self._occlusion.resistance_pa_per_ml_h

    def has_pressure(self):
        """True while the pressure sensor answers and is believed."""
        is_silent = self._pressure_silent >= SILENT_READINGS
        return not (is_silent or self._verdict == FAULT or self._therapy.alarms.present(alarm.SENSOR))

    def bar_relief(self):
        """True after an alarm of NO_RELIEF or a failed encoder: what is owed stays owed, the line must be clamped."""
        if self._encoder_has_failed:
            return True
        for code in NO_RELIEF:
            if self._therapy.alarms.active(code):
                return True
        return False

    def stored_nl(self):
        """Volume in nL that the line holds beyond what its flow explains: what would leave the tip if it opened."""
        return self._occlusion.stored_nl()

    # -- checks

    def step(self, door_open, syringe_off, button_fault, relieving):
        """Checks the readings and contacts, and raises or ends alarms. `relieving`: a back-off rests on the sensors."""
        therapy = self._therapy
        self.again_in_ms = -1
        moving = therapy.moving()
        contact_fault = door_open or syringe_off or button_fault
        if contact_fault or self._contact_fault:  # otherwise there is no alarm to raise or to end
            self._contact_fault = contact_fault
            self._judge_contacts(moving, door_open, syringe_off, button_fault)
        if self._verdict or self._pressure_silent or self._encoder_silent or therapy.alarms.active(alarm.SENSOR):
            self._judge_sensors(moving or relieving)
        if therapy.infusing():
            self._judge_reservoir()
            self._judge_line()
        elif therapy.state == PRIMING and therapy.pressure_pa - self._start_pa > PRIME_RISE_PA:
            therapy.alarms.occur(alarm.OCCLUSION_DOWNSTREAM)  # through an open line pressure does not rise this much

    def _judge_contacts(self, moving, door_open, syringe_off, button_fault):
        alarms = self._therapy.alarms
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
        alarms = self._therapy.alarms
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
            self._encoder_has_failed = self._encoder_has_failed or self._encoder_silent >= SILENT_READINGS
            alarms.raise_(alarm.SENSOR)

    def _judge_reservoir(self):
        reservoir = self._therapy.reservoir
        if not reservoir.is_low():
            return
        if reservoir.is_empty():
            self._therapy.alarms.raise_(alarm.RESERVOIR_EMPTY)
        else:
            self._therapy.alarms.raise_(alarm.RESERVOIR_LOW)

    def _judge_line(self):
        """Downstream occlusion, by pressure against the volume really pumped."""
        if not self._fresh:
            return
        self._fresh = False
        therapy = self._therapy
        self._count_pumped()
        found = self._occlusion.sample(therapy.clock.s, self._pumped_nl, therapy.pressure_pa, therapy.flow_nl_per_h)
        if self._settles_s >= 0:
            self._look_whether_open()
        if found == OCCLUDED:
            therapy.alarms.occur(alarm.OCCLUSION_DOWNSTREAM)
        elif found == TREND:
            therapy.alarms.raise_(alarm.OCCLUSION_TREND)
        else:
            therapy.alarms.condition_gone(alarm.OCCLUSION_TREND)

    def judge_connection(self):
        """The line has come off the catheter, by the pressure against its learned band [H16]. At most every BAND_S."""
        therapy = self._therapy
        if not therapy.infusing() or therapy.clock.s - self._band_s < BAND_S:
            return
        self._band_s = therapy.clock.s
        drop_pa = therapy.flow_nl_per_h // 1000 * self._occlusion.resistance_pa_per_ml_h // 1000
        if self._band.sample(therapy.clock.s, therapy.pressure_pa, drop_pa):
            therapy.alarms.raise_(alarm.DISCONNECTED)
        else:
            therapy.alarms.condition_gone(alarm.DISCONNECTED)

    def _look_whether_open(self):
        """Once after each start: a line that rises by less than half of what a closed one would is open.

        Its pressure less that of the flow is then the no-flow pressure: that at the start may not have settled yet.
        """
        therapy = self._therapy
        if therapy.clock.s < self._settles_s:
            return
        if self._settled_nl < 0:
            self._settled_nl, self._settled_pa = self._pumped_nl, therapy.pressure_pa
            self._settles_s += SETTLED_S
            return
        self._settles_s = NOT_YET
        pumped_nl = (self._pumped_nl - self._settled_nl) & _PUMPED_MASK
        risen_pa = therapy.pressure_pa - self._settled_pa
        if risen_pa * (self._occlusion.compliance_nl_per_kpa // 100) < min(pumped_nl, MOST_LOOK_NL) * 5:
            therapy.line.note_no_flow(therapy.pressure_pa - self._occlusion.flow_drop_pa())

    def _count_pumped(self):
        """Adds the usteps made since the last call to `_pumped_nl`."""
        motion = self._therapy.motion
        made = self._therapy.motor.made() if motion.in_flight else 0
        usteps = motion.commanded - self._commanded + made - self._made
        self._commanded, self._made = motion.commanded, made
        picolitres = usteps * self._therapy.ledger.pl_step + self._pumped_rest
        self._pumped_nl = (self._pumped_nl + picolitres // 1000) & _PUMPED_MASK
        self._pumped_rest = picolitres % 1000

    def grant_ended(self):
        """A grant has ended: compares the screw with the commanded usteps [ALM-01, ALM-10, ALM-12]."""
        therapy = self._therapy
        therapy.motion.note_encoder(self.encoder_raw)
        if self._encoder_silent or not therapy.moving():
            return
        verdict = self._encoder.sample(therapy.motion.commanded, self.encoder_raw)
        excess = self._encoder.excess_usteps
        if excess > self._excess:
            therapy.ledger.book(EXCESS, excess - self._excess)
            self._excess = excess
        if verdict == STALL:
            therapy.alarms.occur(alarm.STALL)
        elif verdict == OVER:
            therapy.alarms.occur(alarm.OVER_INFUSION)
        elif verdict == SECOND_CHANNEL:
            therapy.alarms.occur(alarm.SECOND_CHANNEL)
