"""Worlds moved by hand, the simulated board in CPython, and targets that run stub firmware."""

import importlib.util
import sys
from pathlib import Path

import pytest
from cisterna.bench.unix_target import UnixTarget
from cisterna.bench.world import World

TESTS = Path(__file__).resolve().parents[2]
BOARD = TESTS.parent / "firmware" / "unix"
STUB_FIRMWARE = TESTS / "support" / "micropython_scripts" / "stub_firmware"

QUIET = {"pressure_noise_kpa": 0, "pitch_error_um": 0, "encoder_inl_deg": 0}


class Bench:
    """A world that the test moves by hand: the CPU's pins and the step machine, without a CPU."""

    def __init__(self, **pump):
        self.world = World({"pump": {**QUIET, **pump}})
        self.timeline = self.world.timeline
        self.plant = self.world.plant
        self.source = self.plant.source

    def energise(self, forward=True):
        gpio = self.world.gpio
        gpio.drive(8, 1)
        gpio.drive(22, 1 - gpio.levels[22])
        gpio.drive(3, 1 if forward else 0)
        gpio.drive(8, 0)
        self.source.set_active(True)

    def to(self, t_s):
        """Time becomes `t_s`, with nothing of the alarms in between."""
        self.timeline.now_us = round(t_s * 1_000_000)
        self.plant.advance()

    def now_s(self):
        return self.timeline.now_us / 1_000_000

    def grant(self, steps, period_s=0.01, first_s=None):
        first_s = period_s if first_s is None else first_s
        for word in (round(first_s * 1e6) - 5000, round(period_s * 1e6) - 5000, steps - 1):
            self.source.put(word)

    def pump(self, steps, period_s=0.01):
        """`steps` forwards (negative: backwards), made at once; returns the displaced uL."""
        before = self.plant.pumped_ul
        self.world.gpio.drive(3, 1 if steps > 0 else 0)
        self.grant(abs(steps), period_s)
        self.to(self.now_s() + abs(steps) * period_s)
        return self.plant.pumped_ul - before


@pytest.fixture
def bench():
    return Bench()


@pytest.fixture
def make_bench():
    return Bench


@pytest.fixture
def board(monkeypatch):
    """The simulated board's modules in this Python: `board(world)` gives (machine, rp2, time), wired to `world`."""

    def load(world):
        modules = {}
        for name in ("machine", "rp2", "time"):
            spec = importlib.util.spec_from_file_location(name, BOARD / f"{name}.py")
            module = importlib.util.module_from_spec(spec)
            if name != "time":  # whose place belongs to Python's own
                monkeypatch.setitem(sys.modules, name, module)
            spec.loader.exec_module(module)
            modules[name] = module
        modules["machine"].attach(world)
        world.boot()
        return modules["machine"], modules["rp2"], modules["time"]

    return load


@pytest.fixture
def stub():
    """`stub(name)` is a target that runs the firmware of `stub_firmware/name`, not started."""
    targets = []

    def make(name, **keys):
        target = UnixTarget(firmware=STUB_FIRMWARE / name, board=BOARD, wall_limit_s=60, **keys)
        targets.append(target)
        return target

    yield make
    for target in targets:
        target.close()
