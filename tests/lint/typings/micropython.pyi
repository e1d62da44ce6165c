# What pyright is told of MicroPython when it reads the firmware for the host tools: its constants have a type.
from typing import TypeVar

Constant = TypeVar("Constant")

def const(value: Constant) -> Constant: ...
