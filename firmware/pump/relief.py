"""After an occlusion: pulls the plunger back until the line is at its no-flow pressure + 0.5 kPa [OCC-05, H14].

The only reverse motion there is [DEL-30]. What was retracted is credited to the ledger, less 5 uL for the lash of the
screw; the limit windows are never credited.
"""

from pump import records
from pump.ledger import CREDIT
from pump.occlusion import DONE, GIVE_UP, REVERSE, BackOff
from pump.priming import LASH_USTEPS
from pump.schedule import GRANT_PL
from pump.units import const, volume_nl_of_usteps

UNBOOKED = const(-2)  # retraction is booked by `_credit`, once it is over
LASH_ALLOWANCE_NL = const(5_000)
PERIOD_US = const(10_300)  # 97 microsteps/s, the fastest the machine goes
READ_AGAIN_MS = const(20)
LOOK_AGAIN_MS = const(5_000)


class Relief:
    """Runs the back-off in small reverse grants, one pressure reading between two of them."""

    def __init__(self, core):
        self._core = core
        self._plan = BackOff()
        self.active = False
        self._held = False

    def start(self, no_flow_pa, compliance_nl_per_kpa):
        """Begins at the present pressure. Motion has been halted."""
        core = self._core
        core.motor.enable(True)
        lash_nl = LASH_USTEPS * core.ledger.pl_step // 1000
        self._plan.start(core.pressure_pa, no_flow_pa, compliance_nl_per_kpa, lash_nl)
        self._from_pa = core.pressure_pa
        self._usteps = 0
        self.active = True
        self._held = False

    def stop(self):
        """Ends it where it stands, credits what was retracted and lets the motor go."""
        if not self.active:
            return
        self.active = False
        core = self._core
        if core.motion.flying:
            core.motion.halt(core.clock.s, core.clock.ms)
            self._usteps += core.motion.last_made
        core.motor.enable(False)
        pl = core.ledger.pl_step
        retracted_nl = self._usteps * pl // 1000
        credit_nl = max(0, retracted_nl - LASH_ALLOWANCE_NL)
        core.ledger.book(CREDIT, credit_nl * 1000 // pl)
        target = self._plan.target_pa
        payload = (self._usteps, retracted_nl, credit_nl, self._from_pa, core.pressure_pa, target)
        core.diary.note(records.BACK_OFF, payload)
        core.save_all()

    def hold(self, held):
        """Stands still while the door or the clamp is open, and goes on afterwards."""
        core = self._core
        if not self.active or held == self._held:
            return
        self._held = held
        if held and core.motion.halt(core.clock.s, core.clock.ms):
            self.ended()
        core.motor.enable(not held)

    def ended(self):
        """A reverse grant has ended: counts it."""
        self._usteps += self._core.motion.last_made

    def step(self):
        """Decides from the latest pressure; grants the next retraction. Returns ms to the next look."""
        core = self._core
        if self._held:
            return LOOK_AGAIN_MS
        if core.motion.flying:
            return core.motion.lands_in_ms(core.clock.s, core.clock.ms)
        pl = core.ledger.pl_step
        verdict = self._plan.step(core.pressure_pa, volume_nl_of_usteps(self._usteps, pl))
        if verdict == REVERSE:
            usteps = max(1, min(self._plan.next_nl() * 1000 // pl, GRANT_PL // pl))
            core.motion.go_fixed(UNBOOKED, False, usteps, PERIOD_US, core.clock.s, core.clock.ms)
            return core.motion.lands_in_ms(core.clock.s, core.clock.ms)
        if verdict in (DONE, GIVE_UP):
            self.stop()
        return READ_AGAIN_MS
