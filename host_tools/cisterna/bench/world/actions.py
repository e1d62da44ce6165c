"""The actions of a scenario that act on the world: one method per action, its parameters are the action's keys."""

from .checks import fluid, microseconds, number, one_of, whole
from .hands import BUTTONS, PENDANT_FAULTS
from .settings import SYRINGES, is_number
from .timeline import NEVER

_SENSORS = ("pressure", "encoder")
_FAULTS = ("stuck", "open", "noise", "offset", "ok")
_RTC_FAULTS = ("jump", "lose", "silent", "ok")
_WHERE = ("downstream", "upstream")


class FaultTimer:
    """An alarm that calls `on_end` when a fault's duration is over."""

    def __init__(self, timeline, on_end):
        self.timeline = timeline
        self.on_end = on_end
        self.due_us = NEVER

    def begin(self, for_s):
        """The fault begins now and lasts `for_s`; None: without end."""
        self.due_us = NEVER if for_s is None else self.timeline.now_us + microseconds(for_s)

    def fire(self):
        self.due_us = NEVER
        self.on_end()


class Actions:
    """Public methods are actions, performed at the current time. ValueError names the key that is wrong.

    stall_end, creep_end, hang_end  alarms of the timeline
    """

    def __init__(self, world):
        self._world = world
        self.stall_end = FaultTimer(world.timeline, self._end_stall)
        self.creep_end = FaultTimer(world.timeline, self._end_creep)
        self.hang_end = FaultTimer(world.timeline, self._end_hang)

    # People

    def press(self, button="pca", hold_ms=200, count=1, gap_ms=300):
        one_of("press.button", button, BUTTONS)
        for name, value, least in (("hold_ms", hold_ms, 1), ("gap_ms", gap_ms, 1), ("count", count, 1)):
            whole(f"press.{name}", value, least)
        self._world.hands.press(button, hold_ms, count, gap_ms)

    def door(self, open=True):
        self._world.hands.door(open)

    def hold(self, on=True):
        self._world.hands.hold(on)

    def syringe(self, gripped=True):
        self._world.hands.grip(gripped)

    def gripper(self, open=True):
        """The plunger is let go, or gripped again where it stands. The contact of the clamp shows it."""
        self._world.plant.grip(not open)
        self._world.hands.grip(not open)

    def swap_syringe(self, ml, drug, concentration_ug_per_ml, syringe=None):
        """Exchange the syringe; `syringe`: its size, None: the same as before. ValueError while its clamp is closed."""
        if not self._world.hands.clamp_open:
            raise ValueError("swap_syringe: the clamp is closed; allowed: after `syringe gripped=false`")
        if syringe is not None:
            one_of("swap_syringe.syringe", syringe, SYRINGES)
        ul = number("swap_syringe.ml", ml) * 1000
        self._world.plant.swap_syringe(ul, fluid(drug, concentration_ug_per_ml), syringe)

    def connect(self):
        self._world.plant.connect(True)

    def disconnect(self):
        self._world.plant.connect(False)

    def fill_line(self, on=True):
        self._world.plant.fill_line(on)

    # Line and patient

    def occlude(self, where="downstream", fraction=1.0):
        one_of("occlude.where", where, _WHERE)
        if not is_number(fraction) or not 0 <= fraction <= 1:
            raise ValueError(f"occlude.fraction is {fraction!r}; allowed: 0 to 1")
        if where == "downstream":
            self._world.plant.clamp(fraction)
        else:
            self._world.plant.clamp_upstream(fraction >= 1)

    def clear(self, where="downstream", fraction=None):
        one_of("clear.where", where, _WHERE)
        if where == "downstream":
            self._world.plant.clamp(0.0)
        else:
            self._world.plant.clamp_upstream(False)

    def back_pressure(self, kpa, over_s=20):
        self._world.plant.raise_tip(number("back_pressure.kpa", kpa), microseconds(over_s))

    # Faults

    def pendant(self, fault, for_s=None):
        one_of("pendant.fault", fault, PENDANT_FAULTS)
        self._world.hands.set_pendant_fault(fault, None if for_s is None else microseconds(for_s))

    def sensor(self, name, fault, value=None):
        one_of("sensor.name", name, _SENSORS)
        one_of("sensor.fault", fault, _FAULTS)
        if value is not None:
            number("sensor.value", value)
        world = self._world
        (world.pressure if name == "pressure" else world.encoder).set_fault(fault, value)

    def stall(self, for_s=None):
        plant = self._world.plant
        plant.advance()
        plant.drive.stalled = True
        self.stall_end.begin(for_s)

    def creep(self, percent, for_s=None):
        plant = self._world.plant
        plant.advance()
        plant.drive.creep_percent = number("creep.percent", percent)
        self.creep_end.begin(for_s)

    def power(self, off_for_s):
        self._world.cut_supply(off_for_s)

    def cut_at_write(self, n, byte, off_for_s):
        microseconds(off_for_s)
        self._world.planned_cut.plan(whole("cut_at_write.n", n, 1), whole("cut_at_write.byte", byte, 0), off_for_s)

    def hang(self, for_s):
        self.hang_end.begin(for_s)
        self._world.timeline.hang_until_us = self.hang_end.due_us

    def rtc_battery(self):
        self._world.rtc.lose_battery()

    def rtc(self, fault, value_s=None):
        """The clock chip jumps by `value_s`, loses its time, or does not answer; "ok": it answers again."""
        one_of("rtc.fault", fault, _RTC_FAULTS)
        chip = self._world.rtc
        if fault == "jump":
            chip.set_unix_s(chip.unix_s() + int(number("rtc.value", value_s)))
        elif fault == "lose":
            chip.lose_battery()
        else:
            chip.unplugged = fault == "silent"

    def display(self, fault):
        """The display does not answer and is dark; "ok": its supply is back, and it waits to be set up again."""
        one_of("display.fault", fault, ("dead", "ok"))
        chip = self._world.display
        chip.unplugged = fault == "dead"
        chip.power_up()

    # The bench

    def mark_start(self):
        self._world.plant.mark_start()

    # Ends of faults

    def _end_stall(self):
        plant = self._world.plant
        plant.advance()
        plant.drive.stalled = False

    def _end_creep(self):
        plant = self._world.plant
        plant.advance()
        plant.drive.creep_percent = 0.0

    def _end_hang(self):
        self._world.timeline.interrupted = True
