"""The volume of a microstep of each syringe, from its bore and the screw, and not from the firmware's own table."""

from math import pi

import pytest
from cisterna.bench.world.settings import SYRINGES as WORLD
from pump.base import units

# Inner diameter, mm; printed in the syringe lists of infusion pumps for BD Plastipak
BORE_MM = {"bd-5": 12.07, "bd-10": 14.50, "bd-20": 19.13, "bd-30": 21.70, "bd-50": 26.70}
CAPACITY_UL = {"bd-5": 5_000, "bd-10": 10_000, "bd-20": 20_000, "bd-30": 30_000, "bd-50": 50_000}
LEAD_MM, USTEPS_PER_REV = 0.8, 3200


def test_the_same_syringes_everywhere():
    """The firmware and the simulated world know the same syringes, with the bores of this list."""
    assert list(units.SYRINGES) == list(BORE_MM) == list(WORLD)
    assert {name: bore for name, (_, bore) in WORLD.items()} == BORE_MM
    assert {name: bore / 100 for name, (_, bore, _) in units.SYRINGES.items()} == BORE_MM
    assert {name: units.capacity_ul(name) for name in BORE_MM} == CAPACITY_UL


@pytest.mark.parametrize("name", BORE_MM)
def test_a_step_is_the_bore_times_the_lead(name):
    """To half a picolitre, the rounding of the table."""
    ul = pi / 4 * BORE_MM[name] ** 2 * LEAD_MM / USTEPS_PER_REV
    assert abs(units.pl_per_ustep(name) - ul * 1e6) <= 0.5
