"""The state of a simulated pump that lasts without power: FRAM, flash, and the positions of screw and plunger."""

from .checks import unhex
from .flash import SECTOR
from .fram import SIZE

PAGE = 256  # bytes
FRAM = "fram"
FLASH = "flash"
_DRIVE = ("rotor", "nut_um", "plunger_um", "reservoir_ul")
_LINE = ("kpa", "syringe_kpa")


class NonvolatileState:
    """Records which memory pages of a world are written from now on; preloaded pages count as written."""

    def __init__(self, world):
        self._world = world
        self._dirty = {}
        for page in range(SIZE // PAGE):
            if any(world.fram.memory[page * PAGE : (page + 1) * PAGE]):
                self._dirty[(FRAM, page)] = True
        for sector, memory in enumerate(world.flash.sectors):
            if memory is not None:
                self._note_sector(sector)
        self._write = world.fram.write_at
        self._program = world.flash.program
        self._erase = world.flash.erase
        world.fram.write_at = self._written
        world.flash.program = self._programmed
        world.flash.erase = self._erased

    def changes(self):
        """[region, page, hex] of each page of `PAGE` bytes that was written since the last call."""
        pages = [[region, page, self._hex(region, page)] for region, page in sorted(self._dirty)]
        self._dirty.clear()
        return pages

    def restore(self, pages, body):
        """Restore the results of `changes` and `mechanics` (or None). Only before the firmware runs."""
        world = self._world
        for region, page, text in pages:
            data = unhex(text)
            if region == FRAM:
                world.fram.memory[page * PAGE : (page + 1) * PAGE] = data
            else:
                world.flash.load(page * PAGE, data)
        if body:
            plant = world.plant
            for name in _DRIVE:
                setattr(plant.drive, name, body[name])
            for name in _LINE:
                setattr(plant.line, name, body[name])
            plant.drive.counter_lost = True  # the driver had no power
            plant.connect(body["connected"])

    def mechanics(self):
        """Positions of rotor, nut and plunger, volume in the syringe, line pressures, whether the tip is connected."""
        plant = self._world.plant
        mechanics = {name: getattr(plant.drive, name) for name in _DRIVE}
        for name in _LINE:
            mechanics[name] = getattr(plant.line, name)
        mechanics["connected"] = plant.tip.connected
        return mechanics

    def _hex(self, region, page):
        if region == FRAM:
            data = self._world.fram.memory[page * PAGE : (page + 1) * PAGE]
        else:
            data = bytearray(PAGE)
            self._world.flash.read(page * PAGE, data)
        return "".join(f"{byte:02x}" for byte in data)

    # These replace the methods of the memories

    def _written(self, register, width, data):
        first = register % SIZE
        for page in range(first // PAGE, (first + len(data) - 1) // PAGE + 1):
            self._dirty[(FRAM, page % (SIZE // PAGE))] = True
        self._write(register, width, data)

    def _programmed(self, address, data):
        for page in range(address // PAGE, (address + len(data) - 1) // PAGE + 1):
            self._dirty[(FLASH, page)] = True
        self._program(address, data)

    def _erased(self, sector):
        self._note_sector(sector)
        self._erase(sector)

    def _note_sector(self, sector):
        pages = SECTOR // PAGE
        for page in range(sector * pages, (sector + 1) * pages):
            self._dirty[(FLASH, page)] = True
