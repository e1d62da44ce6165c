"""One pump's world: its parts and their wiring, the actions on it, and its true state."""

from .abp2 import Abp2
from .actions import Actions, FaultTimer
from .as5600 import As5600
from .checks import fluid, microseconds, unhex
from .flash import NorFlash
from .fram import Fram
from .gpio import Gpio
from .hands import Hands
from .i2c import Bus
from .plant import Plant
from .power_cut import PlannedPowerCut
from .resets import CpuReset, PowerCut, WatchdogReset
from .rv3028 import Rv3028
from .serial_wire import SerialWire
from .settings import checked_pump, checked_vault_image
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


class World:
    """`act(do, ...)` performs an action on the pump, `truth()` gives the true state; both at the current time.

    Interfaces for a board: `gpio`, `buses` (by I2C number), `wire` (UART), `flash`, `plant.source` (the step state
    machine) or step edges on the STEP pin, `watchdog`, `timeline`. `interrupt()` runs the CPU's handlers.
    `on_cpu_stopped` is called when the CPU is reset or loses its supply, `on_handler_error` with an exception of an
    interrupt handler.

    config, all optional: seed, ticks_at_power_up_ms, rtc_unix_s, fram_image {address: hex}, vault_image (hex of the
    first bytes of the vault's region), pump {keys of scenario files}, drug, concentration_ug_per_ml, heap_bytes (not
    used here). ValueError names the key that is wrong.
    """

    def __init__(self, config):
        for key in config:
            if key not in _CONFIG_KEYS:
                raise ValueError("config.{} is not known; allowed: {}".format(key, ", ".join(_CONFIG_KEYS)))
        seed = config.get("seed", 1)
        self.pump = pump = checked_pump(config.get("pump", {}))
        self.ticks_at_power_up_ms = config.get("ticks_at_power_up_ms", 0)

        self.timeline = timeline = Timeline()
        timeline.turn_us = round(pump["cpu_ms_per_wake"] * 1000)
        self.plant = plant = Plant(timeline, pump, seed)
        plant.fluid = fluid(config.get("drug", "test-fluid"), config.get("concentration_ug_per_ml", 1000))
        self.gpio = gpio = Gpio()
        self.planned_cut = PlannedPowerCut(self._fail_supply)
        self.fram = Fram(self.planned_cut)
        self.flash = NorFlash(self.planned_cut)
        self.flash.load(0, checked_vault_image(config.get("vault_image", "")))
        self.rtc = Rv3028(timeline, config.get("rtc_unix_s", 1_767_600_000))
        self.display = Ssd1306()
        self.encoder = As5600(plant, seed, pump["encoder_inl_deg"])
        self.pressure = Abp2(plant, seed, pump["pressure_noise_kpa"])
        self.buses = (
            Bus({FRAM: self.fram, RV3028: self.rtc, SSD1306: self.display, AS5600: self.encoder}),
            Bus({ABP2: self.pressure}),
        )
        fram_image = config.get("fram_image", {})
        for address in fram_image:
            self.fram.write_at(int(address), 2, unhex(fram_image[address]))

        self.hands = Hands(timeline, gpio)
        self.wire = SerialWire(timeline)
        self.external = ExternalWatchdog(timeline, self._switch_motor)
        self.watchdog = InternalWatchdog(timeline, self._watchdog_timed_out)
        self._power_return = FaultTimer(timeline, self._power_up)
        self._actions = actions = Actions(self)
        gpio.on_output[STEP] = self._step_edge
        gpio.on_output[DIR] = plant.set_direction
        gpio.on_output[ENN] = self._enable_edge
        gpio.on_output[WATCHDOG] = self.external.edge

        # Alarms due at one instant fire in this order. The firmware's timers are appended.
        self._fixed_alarms = [
            self._power_return, actions.stall_end, actions.creep_end, self.hands, self.wire,
            self.external, plant.source, self.watchdog, actions.hang_end,
        ]  # fmt: skip
        timeline.alarms.extend(self._fixed_alarms)

        self.powered = True
        self.in_boot_loader = False  # no firmware runs: see `enter_boot_loader`
        self.boots = 0
        self.booted_us = 0
        self.reset_cause = PWRON_RESET
        self.on_cpu_stopped = None
        self.on_handler_error = None
        self.outputs = []  # pins that the CPU drives
        self.sounds = {}  # last word put to each state machine and PWM that is not the motor's
        self.firmware_error = None
        self.heap_used = 0

    # The CPU's side

    def boot(self):
        """The CPU starts."""
        self.boots += 1
        self.booted_us = self.timeline.now_us
        self.timeline.ending = None

    def register_timer(self, timer):
        """Add a timer of the firmware to the alarms. OSError(ENOMEM) if more run than the chip's pool holds.

        A timer that has ended stays in the list until its place is needed: most timers are started again.
        """
        alarms = self.timeline.alarms
        fixed = len(self._fixed_alarms)
        if len(alarms) == fixed + _TIMERS:
            for i in range(len(alarms) - 1, fixed - 1, -1):
                if alarms[i].due_us == NEVER:
                    alarms.pop(i).registered = False
        if len(alarms) == fixed + _TIMERS:
            raise OSError(_ENOMEM)
        timer.registered = True
        alarms.append(timer)

    def interrupt(self, handler, argument):
        """Run an interrupt handler of the firmware and end a wait. An exception goes to `on_handler_error`, if set."""
        self.timeline.interrupted = True
        if self.on_handler_error is None:
            handler(argument)
            return
        try:
            handler(argument)
        except Exception as error:  # as on the chip: printed on the console, and the main loop continues
            self.on_handler_error(error)

    def stop_cpu(self, ending, cause):
        """Stop the CPU at once: `ending` is raised at its next wait or hardware access. cause: for `reset_cause`."""
        self.timeline.ending = ending
        self.timeline.hang_until_us = 0
        self.reset_cause = cause
        self.watchdog.stop()
        self.plant.source.reset()
        self.gpio.on_input = None
        self.gpio.release_outputs(self.outputs)
        self.outputs = []
        self.sounds = {}
        self.wire.close()
        self.timeline.alarms[:] = self._fixed_alarms
        if self.on_cpu_stopped:
            self.on_cpu_stopped()

    # Actions

    def act(self, do, **keys):
        """Perform the scenario action `do` now. ValueError names the action or key that is wrong."""
        if do not in self.acts():
            raise ValueError("do is {!r}; allowed here: {}".format(do, ", ".join(self.acts())))
        try:
            getattr(self._actions, do)(**keys)
        except (TypeError, OverflowError) as error:  # an unknown key, or a missing one
            message = "{}: keys {}: {}".format(do, ", ".join(sorted(keys)) or "(none)", error)
        else:
            return
        raise ValueError(message)

    def acts(self):
        """The actions that `act` performs."""
        return sorted(name for name in dir(Actions) if not name.startswith("_"))

    # Observation

    def truth(self):
        """The true state now, in uL, ug and kPa. Changes nothing: a run with and without calls is the same."""
        plant = self.plant
        saved = plant.save()
        plant.advance()
        truth = {
            "t_ms": self.timeline.now_us // 1000,
            "powered": self.powered,
            "pumped_ul": plant.pumped_ul if plant.marked else 0.0,
            "delivered_ul": plant.delivered_ul if plant.marked else 0.0,
            "pumped_ug": plant.pumped_ug if plant.marked else 0.0,
            "delivered_ug": plant.delivered_ug if plant.marked else 0.0,
            "primed_ul": plant.primed_ul(),
            "released_ul": plant.release.largest_ul,
            "lost_ul": plant.lost_ul if plant.marked else 0.0,
            "pressure_kpa": plant.line.kpa,
            "tip_kpa": plant.tip_kpa,
            "reservoir_ul": plant.drive.reservoir_ul,
            "peak_window_ug": _peaks(plant.windows, self.timeline.now_us),
            "peak_tip_ug": _peaks(plant.tip_windows, self.timeline.now_us),
            "reboots": max(0, self.boots - 1),
            "steps": plant.steps,
            "motor_power": plant.drive.powered,
            "firmware_error": self.firmware_error,
            "heap_used": self.heap_used,
        }
        plant.restore(saved)
        return truth

    def look(self):
        """What a person sees and hears: the display's picture (1024 bytes as hex, page by page), lights, `sounds`."""
        levels = self.gpio.levels
        red, yellow, green = levels[LIGHT_RED], levels[LIGHT_YELLOW], levels[LIGHT_GREEN]
        display = self.display
        picture = "".join(f"{byte:02x}" for byte in display.ram)
        return {
            "display": {"on": self.powered and display.on, "inverted": display.inverted, "ram": picture},
            "lights": {"red": red, "yellow": yellow, "green": green},
            "sounds": {str(key): self.sounds[key] for key in self.sounds},
        }

    # Power

    def _fail_supply(self, off_for_s):
        """As `cut_supply`, from within a write of the CPU: raises `PowerCut`."""
        self.cut_supply(off_for_s)
        self.timeline.touch()

    def cut_supply(self, off_for_s):
        """Switch the supply off now for `off_for_s` (at least 1 us)."""
        self._power_return.due_us = self.timeline.now_us + max(1, microseconds(off_for_s))
        if self.powered:
            self.powered = self.in_boot_loader = False
            self.stop_cpu(PowerCut("supply cut"), PWRON_RESET)
            self.external.lose_supply()

    def _power_up(self):
        self.powered = True
        self.timeline.interrupted = True  # ends the wait for power
        for bus in self.buses:
            for address in bus.chips:
                bus.chips[address].power_up()

    def _watchdog_timed_out(self):
        self.stop_cpu(WatchdogReset("watchdog"), WDT_RESET)

    def reset_cpu(self):
        """`machine.reset()`."""
        self.stop_cpu(CpuReset("reset"), WDT_RESET)  # the RP2040 resets itself by its watchdog
        self.timeline.touch()

    def enter_boot_loader(self):
        """`machine.bootloader()`: no firmware runs until the next power cycle."""
        self.in_boot_loader = True
        self.stop_cpu(CpuReset("boot loader"), WDT_RESET)
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


def _peaks(windows, now_us):
    peak_1h, peak_4h, peak_24h = windows.peaks(now_us)
    return {"1h": peak_1h, "4h": peak_4h, "24h": peak_24h}
