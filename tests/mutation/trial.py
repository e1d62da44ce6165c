"""One trial: the quick tests in a process of their own, with one mutant in the place of its module.

The process is a fork of one that has pytest and the libraries loaded, and nothing of the pump: a trial takes as long as
the tests that it needs. Nothing is written to the sources.
"""

import importlib.abc
import importlib.util
import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PUMP = ROOT / "firmware" / "pump"
# What runs in this Python. MicroPython and the simulated board are processes of their own, which see no mutant.
TESTS = ["tests/unit/pump", "tests/unit/therapy", "tests/properties"]
LEAVE_OUT = "tests/unit/pump/test_on_micropython.py"
OPTIONS = ["-x", "-q", "-p", "no:cacheprovider", "-o", "addopts=", f"--ignore={LEAVE_OUT}"]
GRACE_S = 10  # of the processor, beside five times what a test takes: a mutant may loop for ever


class Hook(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Loads `module` from `code`."""

    def __init__(self, module, code, filename):
        self.module, self.code, self.filename = module, code, filename

    def find_spec(self, fullname, path=None, target=None):
        return (
            importlib.util.spec_from_loader(fullname, self, origin=self.filename) if fullname == self.module else None
        )

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        module.__file__ = self.filename
        exec(self.code, module.__dict__)


class Chosen:
    """Of what pytest collects: the tests of `seconds` in its order, each at most as long as it may take."""

    def __init__(self, seconds, report):
        self.seconds, self.report = seconds, report
        self.order = {test: place for place, test in enumerate(seconds)}

    def pytest_collection_modifyitems(self, items):
        items[:] = sorted(
            (item for item in items if item.nodeid in self.order), key=lambda item: self.order[item.nodeid]
        )

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item):
        signal.signal(signal.SIGPROF, lambda *_: self._fails(item.nodeid + " (endless)"))
        signal.setitimer(signal.ITIMER_PROF, GRACE_S + 5 * self.seconds[item.nodeid])
        yield
        signal.setitimer(signal.ITIMER_PROF, 0)

    def pytest_runtest_logreport(self, report):
        if report.failed:
            self._fails(report.nodeid)

    def pytest_collectreport(self, report):
        if report.failed:
            self._fails(report.nodeid + " (import)")

    def _fails(self, test):
        os.write(self.report, test.encode())
        os._exit(1)


class Recorder:
    """Notes which functions of the pump each test enters, and the processor's seconds that it takes."""

    def __init__(self):
        self.tests = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item):
        codes = set()
        began = time.process_time()
        sys.setprofile(lambda frame, event, _: codes.add(frame.f_code) if event == "call" else None)
        yield
        sys.setprofile(None)
        inside = {(code.co_filename, code.co_qualname) for code in codes if code.co_filename.startswith(str(PUMP))}
        entered = sorted(f"{Path(file).relative_to(PUMP).as_posix()}:{name}" for file, name in inside)
        self.tests[item.nodeid] = {"seconds": round(time.process_time() - began, 2), "entered": entered}


def preload():
    """Load what every trial needs. Nothing of the pump may be among it."""
    os.chdir(ROOT)
    sys.path[:0] = [str(ROOT / "firmware"), str(ROOT / "tests")]
    for module in ("hypothesis.stateful", "hypothesis.strategies", "cryptography.hazmat.primitives.asymmetric.rsa"):
        importlib.import_module(module)
    assert not any(name.split(".")[0] == "pump" for name in sys.modules)


def start(work):
    """Run `work(descriptor)` in a fork, silently. Returns (process id, descriptor to read its report from)."""
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        return child, reading
    os.close(reading)
    silence = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(silence, descriptor)
    try:
        os._exit(work(writing))
    finally:
        os._exit(70)


def finish(child, reading):
    """(exit status, what the fork reported), when it has ended."""
    with open(reading, "rb") as pipe:
        report = pipe.read().decode()
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), report


def record(into):
    """Run all tests once and write what each enters to the file `into`."""

    def work(_):
        recorder = Recorder()
        status = pytest.main([*OPTIONS, *TESTS], plugins=[recorder])
        into.write_text(json.dumps(recorder.tests, indent=0))
        return status

    status, _ = finish(*start(work))
    if status:
        raise SystemExit(f"mutants: the tests fail without a mutant (pytest {' '.join(TESTS)}); mend them first")


def try_one(module, code, filename, seconds):
    """Start the tests of `seconds` (test: its seconds, in the order to run) on one mutant. Returns as `start` does."""

    def work(report):
        sys.meta_path.insert(0, Hook(module, code, filename))
        files = list(dict.fromkeys(test.split("::")[0] for test in seconds))
        return pytest.main([*OPTIONS, *files], plugins=[Chosen(seconds, report)])

    return start(work)
