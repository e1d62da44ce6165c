"""An ideal machine for the pump core: exact steps, perfect sensors, memory that survives a power cut.

It replaces the board (steps, encoder, pressure, FRAM, RTC, log flash, contacts, lights, sound) and knows no dose, so a
fault found on it is the pump's. Time is true time in us since the first power-up. Every step is kept, as runs of equal
steps.
"""

from bisect import bisect_right
from dataclasses import dataclass
from math import exp

TICKS_PERIOD = 1 << 30
USTEPS_PER_REV = 3200
MIN_STEP_PERIOD_US = 5000

START, STOP, ACK, PCA_NO, PCA_NC, DOOR, SYRINGE, HOLD = range(8)
# Raw levels at rest: keys and the NO contact are pulled up; NC, door and clamp are closed to ground.
LEVELS_AT_REST = {START: 1, STOP: 1, ACK: 1, PCA_NO: 1, PCA_NC: 0, DOOR: 0, SYRINGE: 0, HOLD: 1}


@dataclass
class Run:
    """Equal steps that were made: `count` of them, the first at `first_us`, then each `period_us`."""

    first_us: int
    period_us: int
    count: int
    sign: int  # 1 forward, -1 back
    owner: object = None  # what the test was doing then, for its own use

    @property
    def last_us(self):
        return self.first_us + (self.count - 1) * self.period_us

    def made_by(self, t_us):
        """Steps of this run made at or before `t_us` (us)."""
        if t_us < self.first_us:
            return 0
        return min(self.count, 1 + (t_us - self.first_us) // self.period_us)


class Steps:
    """An ideal step generator: each step at its exact time, none after a halt, a gate or a loss of power.

    Like the real one it keeps the least time before any step, and after a gate starts nothing until `halt`.
    """

    def __init__(self, plant):
        self.plant = plant
        self.enabled = False
        self.gated = False
        self.run = None  # the grant in motion or the last one
        self._asked = 0

    def enable(self, on):
        self.enabled = on

    def grant(self, forward, first_delay_us, period_us, steps):
        assert not self.busy(), "a grant while one is in motion"
        assert steps > 0, "an empty grant"
        assert self.enabled, "a grant with the driver off"
        self._asked = steps
        self.run = None
        if self.gated:
            return False
        first_us = self.plant.now_us + max(first_delay_us, MIN_STEP_PERIOD_US)
        self.run = Run(first_us, max(period_us, MIN_STEP_PERIOD_US), steps, 1 if forward else -1)
        self.plant.runs.append(self.run)
        self.plant.on_grant(self.run)
        return True

    def busy(self):
        return self.run is not None and self.made() < self._asked

    def made(self):
        return 0 if self.run is None else self.run.made_by(self.plant.now_us)

    def gate(self):
        """Ends the motion now and lets nothing start until `halt`."""
        self.gated = True
        self._stop()

    def halt(self):
        """Ends the motion now. Usteps made of the grant."""
        self._stop()
        made = self.made()
        self._asked = made
        self.gated = False
        return made

    def _stop(self):
        if self.run is not None:
            self.run.count = self.made()


class Contacts:
    """Edges of the contacts with the ticks at which they came."""

    def __init__(self, plant):
        self.plant = plant
        self.queue = []
        self.lost = 0
        self.levels = dict(LEVELS_AT_REST)

    def set(self, index, level):
        """The world moves a contact; STOP pressed and DOOR or SYRINGE opened gate the motion at once."""
        if self.levels[index] == level:
            return
        self.levels[index] = level
        self.queue.append((index, level, self.plant.ticks_ms()))
        if (index, level) in ((STOP, 0), (DOOR, 1), (SYRINGE, 1)):
            self.plant.steps.gate()

    def take(self, out):
        if not self.queue:
            return False
        out[0], out[1], out[2] = self.queue.pop(0)
        return True

    def level(self, index):
        return self.levels[index]


class Encoder:
    """A perfect 12 bit angle of the screw."""

    def __init__(self, plant):
        self.plant = plant

    def read(self):
        return self.plant.position() * 4096 // USTEPS_PER_REV % 4096

    def magnet_ok(self):
        return True


class Pressure:
    """A line of one compliance and one resistance, with the two counts of noise that any converter has.

    pa            pressure at the end of the line, Pa
    nl_per_ustep  what a step pumps
    is_open       False: a clamp is closed, and the line stores what is pumped
    is_joined     to the catheter, which has four fifths of the resistance
    """

    NL_PER_KPA = 9_000
    PA_PER_NL_PER_S = 650 * 3600 / 1e6  # of 0.65 kPa per mL/h
    SHARE_OF_LINE = 0.2

    def __init__(self, plant, pa=0):
        self.plant = plant
        self.pa = pa
        self.nl_per_ustep = 0.0
        self.is_open, self.is_joined = True, False
        self.status = 0x40
        self.raw = 0
        self._above_pa = 0.0  # of the line above its end
        self._seen_us = self._seen_usteps = 0

    def trigger(self):
        pass

    def read_pa(self):
        self.plant.pressure_reads += 1
        self._follow()
        pa = self.pa + round(self._above_pa)
        self.raw = (1 << 23) + pa * 67 + (-2, 1, 0, 2, -1)[self.plant.pressure_reads % 5]
        return pa

    def take_off(self):
        """Takes the line off the catheter, into the air."""
        self.is_joined = False
        self._above_pa = 0.0

    def _follow(self):
        """The pressure now, if the plunger moved evenly since the last look."""
        plant = self.plant
        position = plant.position()
        seconds, nl = (plant.now_us - self._seen_us) / 1e6, (position - self._seen_usteps) * self.nl_per_ustep
        self._seen_us, self._seen_usteps = plant.now_us, position
        if seconds == 0 or not self.is_open:
            self._above_pa += nl * 1000 / self.NL_PER_KPA
            return
        resistance = self.PA_PER_NL_PER_S * (1 if self.is_joined else self.SHARE_OF_LINE)
        tau_s = resistance * self.NL_PER_KPA / 1000
        of_flow_pa = resistance * nl / seconds
        self._above_pa = of_flow_pa + (self._above_pa - of_flow_pa) * exp(-seconds / tau_s)


class Fram:
    """32 KiB that keep what was written byte by byte, power or not."""

    def __init__(self, size=32_768):
        self.cells = bytearray(size)
        self.writes = 0

    def read_into(self, addr, buf):
        buf[:] = self.cells[addr : addr + len(buf)]

    def write(self, addr, buf):
        assert addr + len(buf) <= len(self.cells)
        self.writes += 1
        self.cells[addr : addr + len(buf)] = buf


class Flash:
    """NOR flash of the log or the vault: erased to ones by the block, programmed to zeros by the bit."""

    BLOCK = 4096

    def __init__(self, blocks=256):
        self.cells = bytearray(b"\xff") * (blocks * self.BLOCK)

    def readblocks(self, block, buf, off=0):
        at = block * self.BLOCK + off
        buf[:] = self.cells[at : at + len(buf)]

    def writeblocks(self, block, buf, off=None):
        at = block * self.BLOCK + (off or 0)
        if off is None:
            self.cells[at : at + len(buf)] = buf
            return
        for i, byte in enumerate(buf):
            self.cells[at + i] &= byte

    def ioctl(self, op, arg):
        if op == 4:
            return len(self.cells) // self.BLOCK
        if op == 5:
            return self.BLOCK
        if op == 6:
            at = arg * self.BLOCK
            self.cells[at : at + self.BLOCK] = b"\xff" * self.BLOCK
        return 0


class Rtc:
    """Seconds that run on a battery. A dead battery sets the power-lost flag."""

    def __init__(self, plant, unix_s):
        self.plant = plant
        self.offset_s = unix_s
        self.lost = False

    def unix_s(self):
        return self.offset_s + self.plant.now_us // 1_000_000

    def power_lost(self):
        return self.lost

    def set_unix_s(self, unix_s):
        self.offset_s = unix_s - self.plant.now_us // 1_000_000
        self.lost = False


class Annunciator:
    """Lights and sound: remembers the last show."""

    def __init__(self):
        self.shown = (0, False)

    def show(self, priority, muted=False):
        self.shown = (priority, muted)


class IdealPlant:
    """The machine and its true time. `runs` holds every step ever made."""

    def __init__(self, ticks_at_power_up_ms=0, rtc_unix_s=1_767_600_000):
        self.now_us = 0
        self.ticks_origin_ms = ticks_at_power_up_ms
        self.runs = []
        self._counted = self._position = 0  # runs that have ended, and their sum
        self.on_grant = lambda run: None
        self.power_us = 0  # when power came; None while it is off
        self.pressure_reads = 0
        self.steps = Steps(self)
        self.encoder = Encoder(self)
        self.pressure = Pressure(self)
        self.fram = Fram()
        self.log_flash = Flash()
        self.vault_flash = Flash(16)
        self.rtc = Rtc(self, rtc_unix_s)
        self.contacts = Contacts(self)
        self.lights = Annunciator()
        self.sound = Annunciator()

    @property
    def now_ms(self):
        """True time in whole ms."""
        return self.now_us // 1000

    def ticks_ms(self):
        """The board's millisecond counter, which restarts at each power-up."""
        return (self.ticks_origin_ms + (self.now_us - self.power_us) // 1000) % TICKS_PERIOD

    def position(self):
        """Net usteps since the first power-up."""
        while self._counted < len(self.runs) - 1:  # all but the last run have ended
            self._position += self.runs[self._counted].sign * self.runs[self._counted].count
            self._counted += 1
        return self._position + sum(r.sign * r.made_by(self.now_us) for r in self.runs[self._counted :])

    def cut_power(self):
        """Everything that lives on power is gone; memory, RTC and the plunger stay."""
        self.steps.gate()
        self.power_us = None

    def restore_power(self, ticks_ms=0):
        self.power_us = self.now_us
        self.ticks_origin_ms = ticks_ms
        self.steps = Steps(self)
        contacts = Contacts(self)
        contacts.levels = self.contacts.levels
        self.contacts = contacts


class Meter:
    """How much went through in any window, worked out from every step: the world's own view.

    Counts each ustep with `weight(run)`. Two instants inside one run differ by its equal steps, so the
    most of a rolling window is found, exact to one ustep, where its end or its start is at the first or
    last step of a run.
    """

    def __init__(self, runs, weight=lambda run: 1):
        self.runs = [run for run in runs if run.sign > 0 and run.count]
        self.weights = [weight(run) for run in self.runs]
        self.firsts = [run.first_us for run in self.runs]
        self.before = [0]
        for run, each in zip(self.runs, self.weights, strict=True):
            self.before.append(self.before[-1] + run.count * each)

    def until(self, t_us):
        """What was made at or before `t_us`."""
        i = bisect_right(self.firsts, t_us)
        return 0 if i == 0 else self.before[i - 1] + self.runs[i - 1].made_by(t_us) * self.weights[i - 1]

    def peak(self, window_us, since_us, before_us):
        """The most in any window (t - window_us, t] with since_us <= t < before_us."""
        ends = {since_us, before_us - 1}
        for run in self.runs:
            ends.update((run.first_us, run.last_us, run.first_us + window_us - 1))
        return max(self.until(t) - self.until(t - window_us) for t in ends if since_us <= t < before_us)
