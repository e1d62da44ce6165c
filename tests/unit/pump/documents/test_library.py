"""The built-in library is consistent and states the project's limits for each drug, route and site."""

from pump.base import units
from pump.documents import library
from pump.documents.library import LIBRARY

ENTRY_MORPHINE = LIBRARY[("morphine", "intrathecal", "lumbar")]
ENTRY_HYDROMORPHONE = LIBRARY[("hydromorphone", "intrathecal", "lumbar")]
ENTRY_EPIDURAL = LIBRARY[("morphine", "epidural", "epidural")]
ENTRY_FLUID = LIBRARY[("test-fluid", "intrathecal", "lumbar")]


def changed(entry, **changes):
    """The entry with some fields changed; MicroPython has no `_replace`."""
    fields = library.FIELDS
    return library.Entry(*[changes.get(fields[i], entry[i]) for i in range(len(fields))])


def test_every_entry_is_in_order():
    """LIB-05."""
    for key in LIBRARY:
        assert library.in_order(LIBRARY[key]), key


def test_a_library_out_of_order_is_found():
    """LIB-05: an entry with any pair of limits the wrong way round, or a limit of 0, is not in order."""
    entry = ENTRY_MORPHINE
    assert library.in_order(changed(entry))
    assert not library.in_order(changed(entry, first_dose_max_ug_per_day=2_001))
    assert not library.in_order(changed(entry, basal_soft_max_ug_per_day=10_001))
    assert not library.in_order(changed(entry, bolus_max_ug=10_001))
    assert not library.in_order(changed(entry, clinician_bolus_max_ug=10_001))
    assert not library.in_order(changed(entry, lockout_min_s=86_401))
    assert not library.in_order(changed(entry, bolus_duration_min_s=3_601))
    assert not library.in_order(changed(entry, deadspace_min_ul=3_001))
    for name in library.FIELDS:
        if name.endswith(("_min_s", "_min_ul", "_usteps", "_max_ug", "first_dose_max_ug_per_day")):
            assert not library.in_order(changed(entry, **{name: 0})), name


def test_drugs_of_the_two_therapies():
    """LIB-01, H04, H05: figures by drug, route and site."""
    assert ENTRY_MORPHINE.concentrations_ug_per_ml == (50, 100, 200, 500, 1000)
    assert ENTRY_HYDROMORPHONE.concentrations_ug_per_ml == (10, 20, 50, 100, 200)
    assert ENTRY_EPIDURAL.concentrations_ug_per_ml == (100, 200, 500)
    drugs = (ENTRY_MORPHINE, ENTRY_HYDROMORPHONE, ENTRY_EPIDURAL)
    assert [e.basal_hard_max_ug_per_day for e in drugs] == [10_000, 2_000, 50_000]
    assert [e.bolus_max_ug for e in drugs] == [500, 100, 2_000]
    assert [e.first_dose_max_ug_per_day for e in drugs] == [500, 100, 5_000]


def test_cisternal_and_lumbar_are_stated_apart():
    for drug in ("morphine", "hydromorphone"):
        for site in ("cisternal", "lumbar"):
            assert (drug, "intrathecal", site) in LIBRARY
        assert (drug, "intrathecal", "epidural") not in LIBRARY


def test_drug_floors():
    """LIM-02 (30 min), ITH-05 (2 min), ITH-03 (10 usteps), H12 (0.1 to 3 mL)."""
    for key in LIBRARY:
        entry = LIBRARY[key]
        if not entry.bench_only:
            assert entry.lockout_min_s >= 1800
            assert entry.lockout_max_s <= units.DAY_S
            assert entry.bolus_duration_min_s >= 120
            assert entry.bolus_min_usteps >= 10
            assert (entry.deadspace_min_ul, entry.deadspace_max_ul) == (100, 3000)


def test_concentrations_are_listed():
    """LIB-02: what is not in the list is not there, also between two that are."""
    for ug_per_ml in (0, 1, 49, 51, 150, 999, 1001, 25_000):
        assert not library.allows_concentration(ENTRY_MORPHINE, ug_per_ml)
    assert library.allows_concentration(ENTRY_MORPHINE, 1000)


def test_test_fluid_is_as_wide_as_the_machine():
    assert ENTRY_FLUID.bench_only
    assert not any(LIBRARY[key].bench_only for key in LIBRARY if key[0] != "test-fluid")
    assert ENTRY_FLUID.lockout_min_s == 60
    for ug_per_ml, allowed in ((0, False), (1, True), (25_000, True), (25_001, False)):
        assert library.allows_concentration(ENTRY_FLUID, ug_per_ml) is allowed
    assert ENTRY_FLUID.basal_hard_max_ug_per_day == 240 * 25_000
    for route in library.ROUTES:
        for site in library.SITES:
            assert LIBRARY[("test-fluid", route, site)] == ENTRY_FLUID


def test_reference_of_a_demand_only_prescription():
    """DEL-03: with a basal of 0 percentages refer to the first-dose ceiling."""
    assert library.daily_reference_ug(ENTRY_MORPHINE, 0) == 500
    assert library.daily_reference_ug(ENTRY_MORPHINE, 210) == 210


def test_known_drugs():
    """LIB-08."""
    assert library.has_drug(LIBRARY, "morphine")
    assert not library.has_drug(LIBRARY, "MORPHINE")
    assert not library.has_drug(LIBRARY, "ziconotide")
