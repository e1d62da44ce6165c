"""Pins and bus addresses stand in four places and must be the same everywhere.

The wiring list for people is `hardware/README.md`; `firmware/boards/wiring.py` and the drivers are what the pump uses,
`world/wiring.py` is what the simulated chips hang on.
"""

import ast
import re
from pathlib import Path

from cisterna.bench.world import wiring as world

ROOT = Path(__file__).resolve().parents[2]
LIST = (ROOT / "hardware" / "README.md").read_text(encoding="utf-8")

# Rows of the wiring list -> names in boards/wiring.py, in the order of the row's pins.
SIGNALS = {
    "link, UART TX and RX": ("LINK_TX", "LINK_RX"),
    "STEP": ("STEP",),
    "DIR": ("DIR",),
    "I2C0 SDA, SCL": ("I2C_CHIPS_SDA", "I2C_CHIPS_SCL"),
    "I2C1 SDA, SCL": ("I2C_LINE_SDA", "I2C_LINE_SCL"),
    "ENN of the driver": ("ENN",),
    "keys start, stop, acknowledge": ("START", "STOP", "ACK"),
    "pendant, normally open contact": ("PCA_NO",),
    "pendant, normally closed contact": ("PCA_NC",),
    "door": ("DOOR",),
    "syringe clamp": ("SYRINGE",),
    "hold line of a respiratory monitor": ("HOLD",),
    "lights red, yellow, green": ("LIGHT_RED",),  # the other two follow it
    "piezo": ("PIEZO",),
    "external watchdog": ("WATCHDOG",),
    "motor supply": ("MOTOR_POWER",),
}
IN_THE_WORLD = {
    "STEP": "STEP", "DIR": "DIR", "ENN": "ENN", "START": "KEY_START", "STOP": "KEY_STOP", "ACK": "KEY_ACK",
    "PCA_NO": "PCA_NO", "PCA_NC": "PCA_NC", "DOOR": "DOOR", "SYRINGE": "SYRINGE", "HOLD": "HOLD",
    "LIGHT_RED": "LIGHT_RED", "PIEZO": "PIEZO", "WATCHDOG": "WATCHDOG", "MOTOR_POWER": "MOTOR_SUPPLY",
}  # fmt: skip
CHIPS = {"AS5600": "as5600", "SSD1306": "ssd1306", "MB85RC256V": "fram", "RV-3028": "rv3028", "ABP2": "abp2"}


def constants(path: Path) -> dict[str, int]:
    """Names that a file of the firmware sets to `const(number)`."""
    found = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and node.value.args:
            value = node.value.args[0]
            if isinstance(value, ast.Constant):
                found[node.targets[0].id] = value.value
    return found


BOARD = constants(ROOT / "firmware" / "boards" / "wiring.py")


def rows(columns: int) -> list[list[str]]:
    """Rows of the list's tables of so many columns, heads and rules left out."""
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in LIST.splitlines() if line.startswith("|")
    ]
    return [row for row in cells if len(row) == columns and row[0][:1].isdigit() or row[0].startswith("I2C")]


def test_the_board_is_wired_as_the_list_says():
    pins = {signal: [int(pin) for pin in gpio.split(",")] for gpio, signal, _ in rows(3) if gpio[:1].isdigit()}
    assert pins.keys() == SIGNALS.keys()
    for signal, names in SIGNALS.items():
        assert [BOARD[name] for name in names] == pins[signal][: len(names)], signal
    red = BOARD["LIGHT_RED"]
    assert pins["lights red, yellow, green"] == [red, red + 1, red + 2]
    used = [pin for several in pins.values() for pin in several]
    assert len(set(used)) == len(used)


def test_the_world_hangs_on_the_same_pins():
    for name, there in IN_THE_WORLD.items():
        assert BOARD[name] == getattr(world, there), name
    assert (BOARD["LIGHT_RED"] + 1, BOARD["LIGHT_RED"] + 2) == (world.LIGHT_YELLOW, world.LIGHT_GREEN)


def test_each_chip_answers_at_its_address():
    chips = {}
    for bus, address, what in (row for row in rows(3) if row[0].startswith("I2C")):
        chip = re.match(r"[A-Z0-9-]+", what).group()
        assert bus == ("I2C1" if chip == "ABP2" else "I2C0")
        chips[chip] = int(address, 16)
    assert chips.keys() == CHIPS.keys()
    for chip, driver in CHIPS.items():
        assert constants(ROOT / "firmware" / "drivers" / f"{driver}.py")["_ADDRESS"] == chips[chip], chip
    names = {"AS5600": "AS5600", "SSD1306": "SSD1306", "MB85RC256V": "FRAM", "RV-3028": "RV3028", "ABP2": "ABP2"}
    assert {chip: getattr(world, name) for chip, name in names.items()} == chips
