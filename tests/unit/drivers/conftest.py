"""The drivers imported onto the fake `machine`."""

import sys
from importlib import import_module
from types import SimpleNamespace

import pytest
from support.fakes.fake_board import forget_drivers, modules


@pytest.fixture
def fake(monkeypatch):
    """The fake machine: `.clock`, `.machine`, and `.driver(name)`, which imports that driver onto it."""
    fakes = modules()
    forget_drivers()

    def driver(name):
        with monkeypatch.context() as while_importing:
            for module, stand_in in fakes.items():
                while_importing.setitem(sys.modules, module, stand_in)
            return import_module(f"drivers.{name}")

    yield SimpleNamespace(machine=fakes["machine"], clock=fakes["machine"].clock, driver=driver)
    forget_drivers()
