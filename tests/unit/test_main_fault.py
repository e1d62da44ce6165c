"""The end of a run: whatever fails, the pump is silent in no other part."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
from pump.monitoring.alarms import HIGH

MAIN = Path(__file__).resolve().parents[2] / "firmware" / "main.py"


class Part:
    """A part of the board that notes what is done to it, and fails if it is told to."""

    def __init__(self, name, done, broken):
        self._name, self._done, self._broken = name, done, broken

    def __getattr__(self, action):
        def act(*args):
            self._done.append((self._name, action, *args[:1]))
            if self._name == self._broken:
                raise RuntimeError(f"{self._name} does not answer")

        return act


def run(monkeypatch, broken):
    """What was done to the board by a run that an error ended; `broken`: the part that fails meanwhile."""
    done = []

    class Board:
        steps, lights, sound, display = (Part(name, done, broken) for name in ("steps", "lights", "sound", "display"))

    monkeypatch.setitem(sys.modules, "board", ModuleType("board"))
    sys.modules["board"].Board = Board
    spec = importlib.util.spec_from_file_location("firmware_main", MAIN)
    main = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(main)

    def loop(_board):
        raise ValueError("what ended the run")

    monkeypatch.setattr(main, "Loop", loop)
    with pytest.raises(ValueError, match="what ended the run"):
        main.main()
    return done


@pytest.mark.parametrize("broken", [None, "steps", "lights", "sound", "display"])
def test_light_sound_motor_and_display_end_a_run_each_for_itself(monkeypatch, broken):
    """Light and sound come first, and no part that fails keeps another from its duty."""
    assert run(monkeypatch, broken) == [
        ("lights", "show", HIGH),
        ("sound", "show", HIGH),
        ("steps", "enable", False),
        ("steps", "halt"),
        ("display", "show", ["PUMP FAULT      ", " " * 16, "ValueError      ", "what ended the r", " " * 16,
                             "It restarts     ", "by itself and   ", "stays stopped.  "]),
    ]  # fmt: skip
