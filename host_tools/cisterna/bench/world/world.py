"""One pump's world: all parts wired together, what can be done to it, and the truth about it."""

from .abp2 import Abp2
from .as5600 import As5600
from .flash import NorFlash
from .fram import Fram
from .fuse import Fuse
from .gpio import Gpio
from .hands import BUTTONS, PENDANT_FAULTS, Hands
from .i2c import Bus
from .plant import Plant
from .resets import CpuReset, PowerCut, WatchdogBite
from .rv3028 import Rv3028
from .serial_wire import SerialWire
from .settings import checked_pump, checked_vault_image, is_number
from .ssd1306 import Ssd1306
from .timeline import NEVER, Timeline
from .watchdogs import ExternalWatchdog, InternalWatchdog
from .wiring import (
    ABP2,
    AS5600,
    DIR,
    ENN,
    FRAM,
    LIGHT_GREEN,
    LIGHT_RED,
    LIGHT_YELLOW,
    MOTOR_SUPPLY,
    RV3028,
    SSD1306,
    STEP,
    WATCHDOG,
)

PWRON_RESET = 1
WDT_RESET = 3

_TIMERS = 16  # alarms in the default pool of the Pico SDK
_ENOMEM = 12

_CONFIG_KEYS = (
    "seed", "ticks_at_power_up_ms", "rtc_unix_s", "fram_image", "vault_image", "pump", "drug",
    "concentration_ug_per_ml", "heap_bytes",
)  # fmt: skip
_SENSORS = ("pressure", "encoder")
_FAULTS = ("stuck", "open", "noise", "offset", "ok")
_WHERE = ("downstream", "upstream")


class Until:
    """An alarm that undoes something when its time is over. `for_s` None: it never is."""

    def __init__(self, timeline, undo):
        self.timeline = timeline
        self.undo = undo
        self.due_us = NEVER

    def begin(self, for_s):
        self.due_us = NEVER if for_s is None else self.timeline.now_us + _us(for_s)

    def fire(self):
        self.due_us = NEVER
        self.undo()


class World:
    """`act(do, ...)` does something to the pump, `truth()` tells what is so. Both at the time that now is.

    For a board to be wired to it: `gpio`, `buses` (by I2C number), `wire` (UART), `flash`, `plant.source`
    (the step state machine) or step edges on the STEP pin, `watchdog`, `timeline`. `interrupt()` runs the
    CPU's handlers, `cpu_stopped` is called when the CPU is reset or loses its supply.

    config: seed, ticks_at_power_up_ms, rtc_unix_s, fram_image {address: hex}, vault_image (hex of the first bytes
    of the vault's region), pump {keys of scenario files}, drug, concentration_ug_per_ml. All may be left out.
    ValueError names what is wrong.
    """

    def __init__(self, config):
        for key in config:
            if key not in _CONFIG_KEYS:
                raise ValueError("config.{} is not known; allowed: {}".format(key, ", ".join(_CONFIG_KEYS)))
        seed = config.get("seed", 1)
        pump = checked_pump(config.get("pump", {}))
        self.pump = pump
        self.ticks_at_power_up_ms = config.get("ticks_at_power_up_ms", 0)

        self.timeline = timeline = Timeline()
        self.plant = plant = Plant(timeline, pump, seed)
        plant.fluid = _fluid(config.get("drug", "test-fluid"), config.get("concentration_ug_per_ml", 1000))
        self.gpio = gpio = Gpio()
        self.fuse = Fuse(self._fail_supply)
        self.fram = Fram(self.fuse)
        self.flash = NorFlash(self.fuse)
        self.flash.load(0, checked_vault_image(config.get("vault_image", "")))
        self.rtc = Rv3028(timeline, config.get("rtc_unix_s", 1_767_600_000))
        self.display = Ssd1306()
        self.encoder = As5600(plant, seed, pump["encoder_inl_deg"])
        self.pressure = Abp2(plant, seed, pump["pressure_noise_kpa"])
        self.buses = (
            Bus({FRAM: self.fram, RV3028: self.rtc, SSD1306: self.display, AS5600: self.encoder}),
            Bus({ABP2: self.pressure}),
        )
        image = config.get("fram_image", {})
        for address in image:
            self.fram.write_at(int(address), 2, _unhex(image[address]))

        self.hands = Hands(timeline, gpio)
        self.wire = SerialWire(timeline)
        self.external = ExternalWatchdog(timeline, self._switch_motor)
        self.watchdog = InternalWatchdog(timeline, self._bite)
        self._power_back = Until(timeline, self._power_up)
        self._stall = Until(timeline, self._end_stall)
        self._creep = Until(timeline, self._end_creep)
        self._hang = Until(timeline, self._end_hang)
        gpio.on_output[STEP] = self._step_edge
        gpio.on_output[DIR] = plant.set_direction
        gpio.on_output[ENN] = self._enable_edge
        gpio.on_output[WATCHDOG] = self.external.edge

        # In this order things happen that are due at one instant. The firmware's timers are appended behind.
        self._fixed_alarms = [
            self._power_back, self._stall, self._creep, self.hands, self.wire,
            self.external, plant.source, self.watchdog, self._hang,
        ]  # fmt: skip
        timeline.alarms.extend(self._fixed_alarms)

        self.powered = True
        self.in_boot_loader = False  # no firmware runs: see `enter_boot_loader`
        self.boots = 0
        self.booted_us = 0
        self.reset_cause = PWRON_RESET
        self.cpu_stopped = None
        self.on_handler_error = None
        self.outputs = []  # pins that the CPU drives
        self.sounds = {}  # last word given to each other state machine
        self.firmware_error = None
        self.heap_used = 0

    # The CPU's side

    def boot(self):
        """The CPU begins."""
        self.boots += 1
        self.booted_us = self.timeline.now_us
        self.timeline.ending = None

    def list_timer(self, timer):
        """A timer of the firmware joins the alarms. OSError(ENOMEM) if more run than the chip's pool holds.

        One that has run out stays in the list until its place is wanted: it is mostly started again.
        """
        alarms = self.timeline.alarms
        fixed = len(self._fixed_alarms)
        if len(alarms) == fixed + _TIMERS:
            for i in range(len(alarms) - 1, fixed - 1, -1):
                if alarms[i].due_us == NEVER:
                    alarms.pop(i).listed = False
        if len(alarms) == fixed + _TIMERS:
            raise OSError(_ENOMEM)
        timer.listed = True
        alarms.append(timer)

    def interrupt(self, handler, argument):
        """Runs an interrupt handler of the firmware; it ends a wait. What it raises goes to
        `on_handler_error`, if set.
        """
        self.timeline.interrupted = True
        if self.on_handler_error is None:
            handler(argument)
            return
        try:
            handler(argument)
        except Exception as error:  # as on the chip: told on the console, and the main loop goes on
            self.on_handler_error(error)

    def end_cpu(self, ending, cause):
        """The CPU stops in the middle of anything; `ending` is raised as soon as it touches time or
        hardware.
        """
        self.timeline.ending = ending
        self.timeline.deaf_until_us = 0
        self.reset_cause = cause
        self.watchdog.stop()
        self.plant.source.reset()
        self.gpio.on_input = None
        self.gpio.release_outputs(self.outputs)
        self.outputs = []
        self.sounds = {}
        self.wire.close()
        self.timeline.alarms[:] = self._fixed_alarms
        if self.cpu_stopped:
            self.cpu_stopped()

    # What can be done

    def act(self, do, **keys):
        """Does `do`, a word of the scenario contract, now. ValueError names what is wrong with it."""
        name = "_do_" + do
        if not hasattr(self, name):
            raise ValueError("do is {!r}; allowed here: {}".format(do, ", ".join(self.acts())))
        try:
            getattr(self, name)(**keys)
        except TypeError as error:  # a key that is not known, or one that is missing
            message = "{}: keys {}: {}".format(do, ", ".join(sorted(keys)) or "(none)", error)
        else:
            return
        raise ValueError(message)

    def acts(self):
        """The words that `act` knows."""
        return sorted(name[4:] for name in dir(self) if name.startswith("_do_"))

    def _do_press(self, button="pca", hold_ms=200, count=1, gap_ms=300):
        _one_of("press.button", button, BUTTONS)
        for name, value, least in (("hold_ms", hold_ms, 1), ("gap_ms", gap_ms, 1), ("count", count, 1)):
            if not isinstance(value, int) or value < least:
                raise ValueError(f"press.{name} is {value!r}; a whole number, {least} or more, is wanted")
        self.hands.press(button, hold_ms, count, gap_ms)

    def _do_pendant(self, fault, for_s=None):
        _one_of("pendant.fault", fault, PENDANT_FAULTS)
        self.hands.break_pendant(fault, None if for_s is None else _us(for_s))

    def _do_occlude(self, where="downstream", fraction=1.0):
        _one_of("occlude.where", where, _WHERE)
        if not is_number(fraction) or not 0 <= fraction <= 1:
            raise ValueError(f"occlude.fraction is {fraction!r}; 0 to 1 is allowed")
        if where == "downstream":
            self.plant.clamp(fraction)
        else:
            self.plant.clamp_upstream(fraction >= 1)

    def _do_clear(self, where="downstream", fraction=None):
        _one_of("clear.where", where, _WHERE)
        if where == "downstream":
            self.plant.clamp(0.0)
        else:
            self.plant.clamp_upstream(False)

    def _do_back_pressure(self, kpa, over_s=20):
        self.plant.raise_tip(_number("back_pressure.kpa", kpa), _us(over_s))

    def _do_connect(self):
        self.plant.connect(True)

    def _do_disconnect(self):
        self.plant.connect(False)

    def _do_door(self, open=True):
        self.hands.door(open)

    def _do_syringe(self, gripped=True):
        self.hands.grip(gripped)

    def _do_stall(self, for_s=None):
        self.plant.advance()
        self.plant.drive.stalled = True
        self._stall.begin(for_s)

    def _do_creep(self, percent, for_s=None):
        self.plant.advance()
        self.plant.drive.creep_percent = _number("creep.percent", percent)
        self._creep.begin(for_s)

    def _do_sensor(self, name, fault, value=None):
        _one_of("sensor.name", name, _SENSORS)
        _one_of("sensor.fault", fault, _FAULTS)
        if value is not None:
            _number("sensor.value", value)
        (self.pressure if name == "pressure" else self.encoder).set_fault(fault, value)

    def _do_power(self, off_for_s):
        self._cut_supply(off_for_s)

    def _do_cut_at_write(self, n, byte, off_for_s):
        self.fuse.plan(n, byte, off_for_s)

    def _do_hang(self, for_s):
        self._hang.begin(for_s)
        self.timeline.deaf_until_us = self._hang.due_us

    def _do_rtc_battery(self):
        self.rtc.lose_battery()

    def _do_swap_syringe(self, ml, drug, concentration_ug_per_ml):
        self.plant.swap_syringe(_number("swap_syringe.ml", ml) * 1000, _fluid(drug, concentration_ug_per_ml))

    def _do_mark_start(self):
        self.plant.mark_start()

    # The truth

    def truth(self):
        """What is so now, in uL, ug and kPa. Looking changes nothing: the same run with and without is the
        same.
        """
        plant = self.plant
        saved = plant.save()
        plant.advance()
        peak_1h, peak_4h, peak_24h = plant.windows.peaks(self.timeline.now_us)
        truth = {
            "t_ms": self.timeline.now_us // 1000,
            "powered": self.powered,
            "pumped_ul": plant.pumped_ul if plant.marked else 0.0,
            "delivered_ul": plant.delivered_ul if plant.marked else 0.0,
            "pumped_ug": plant.pumped_ug if plant.marked else 0.0,
            "delivered_ug": plant.delivered_ug if plant.marked else 0.0,
            "primed_ul": plant.primed_ul(),
            "released_ul": plant.released_ul,
            "pressure_kpa": plant.line.kpa,
            "tip_kpa": plant.tip_kpa,
            "reservoir_ul": plant.drive.reservoir_ul,
            "peak_window_ug": {"1h": peak_1h, "4h": peak_4h, "24h": peak_24h},
            "reboots": max(0, self.boots - 1),
            "steps": plant.steps,
            "motor_power": plant.drive.powered,
            "firmware_error": self.firmware_error,
            "heap_used": self.heap_used,
        }
        plant.restore(saved)
        return truth

    def look(self):
        """What a person sees and hears: the picture (1024 bytes as hex, page by page), lights, and the last
        word given to each state machine and PWM that is not the motor's."""
        levels = self.gpio.levels
        red, yellow, green = levels[LIGHT_RED], levels[LIGHT_YELLOW], levels[LIGHT_GREEN]
        display = self.display
        picture = "".join(f"{byte:02x}" for byte in display.ram)
        return {
            "display": {"on": display.on, "inverted": display.inverted, "ram": picture},
            "lights": {"red": red, "yellow": yellow, "green": green},
            "sounds": {str(key): self.sounds[key] for key in self.sounds},
        }

    # Power

    def _fail_supply(self, off_for_s):
        """The fuse's way: in the middle of a write of the CPU, which ends there."""
        self._cut_supply(off_for_s)
        self.timeline.touch()

    def _cut_supply(self, off_for_s):
        self._power_back.due_us = self.timeline.now_us + max(1, _us(off_for_s))
        if self.powered:
            self.powered = self.in_boot_loader = False
            self.end_cpu(PowerCut("supply cut"), PWRON_RESET)
            self.external.lose_supply()

    def _power_up(self):
        self.powered = True
        self.timeline.interrupted = True  # whoever waits for it comes back
        for bus in self.buses:
            for address in bus.chips:
                bus.chips[address].power_up()

    def _bite(self):
        self.end_cpu(WatchdogBite("watchdog"), WDT_RESET)

    def reset_cpu(self):
        """`machine.reset()`."""
        self.end_cpu(CpuReset("reset"), WDT_RESET)  # on the RP2040 it is the watchdog that does it
        self.timeline.touch()

    def enter_boot_loader(self):
        """`machine.bootloader()`: no firmware runs any more, until the power has been off."""
        self.in_boot_loader = True
        self.end_cpu(CpuReset("boot loader"), WDT_RESET)
        self.timeline.touch()

    # Wires between the parts

    def _step_edge(self, level):
        if level:
            self.plant.pulse()

    def _enable_edge(self, level):
        self.plant.set_coils(self.external.powered, not level)

    def _switch_motor(self, on):
        self.plant.set_coils(on, not self.gpio.levels[ENN])
        self.gpio.set_input(MOTOR_SUPPLY, 1 if on else 0)

    def _end_stall(self):
        self.plant.advance()
        self.plant.drive.stalled = False

    def _end_creep(self):
        self.plant.advance()
        self.plant.drive.creep_percent = 0.0

    def _end_hang(self):
        self.timeline.interrupted = True


def _us(seconds):
    if not is_number(seconds) or seconds < 0:
        raise ValueError(f"a time is {seconds!r} s; 0 or more is wanted")
    return int(seconds * 1_000_000 + 0.5)


def _number(name, value):
    if not is_number(value):
        raise ValueError(f"{name} is {value!r}; a number is wanted")
    return value


def _one_of(name, value, allowed):
    if value not in allowed:
        raise ValueError("{} is {!r}; allowed: {}".format(name, value, ", ".join(allowed)))


def _fluid(drug, concentration_ug_per_ml):
    return (drug, _number("concentration_ug_per_ml", concentration_ug_per_ml) / 1000)


def _unhex(text):
    return bytes(int(text[i : i + 2], 16) for i in range(0, len(text), 2))
