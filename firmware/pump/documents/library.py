"""The drug library: limits of a prescription by drug, route and site. Doses in ug, times in s, volumes in uL.

A drug's concentration is chosen from a list, never free (LIB-02). Every limit is hard, except
`basal_soft_max_ug_per_day`: `rx_rules.warnings` reports a basal above it. The library in this file is part of the
image: bench defaults, no clinical advice. A clinic loads its own as a signed document (`library_document`).
"""

from collections import namedtuple

from pump.base import units

ROUTES = ("intrathecal", "epidural")
SITES = ("lumbar", "cisternal", "epidural")

BOLUS_PERCENT_OF_DAILY = 20  # a patient bolus is at most 20 % of the daily basal
DAILY_CAP_PERCENT = 160  # the 24 h limit is at most 160 % of the daily basal
EDIT_PERCENT = 200  # a new prescription at most doubles the basal
EQUIVALENCE_PERCENT = 150  # after a change of drug the basal is at most 150 % of the equivalent of the old daily dose

MAX_CONCENTRATION_UG_PER_ML = 25_000  # the strongest ampoule available
MIN_COMPLIANCE_NL_PER_KPA = 1_000
MAX_COMPLIANCE_NL_PER_KPA = 50_000
MAX_CLINICIAN_BOLUS_S = 6 * units.HOUR_S

# Floors and ceilings of every entry for a drug, also in a clinic's library
MIN_BOLUS_USTEPS = 10  # below this, rounding dominates the bolus (ITH-03)
MIN_BOLUS_S = 120  # a bolus into the cerebrospinal fluid is slow (ITH-05)
MIN_LOCKOUT_S = 1_800  # (LIM-02)
MIN_DEADSPACE_UL = 100  # (H12)
MAX_DEADSPACE_UL = 3_000

FIELDS = (
    "concentrations_ug_per_ml",  # tuple of int; empty: any from 1 to MAX_CONCENTRATION_UG_PER_ML
    "first_dose_max_ug_per_day",  # basal of a first prescription without a second person's override
    "basal_soft_max_ug_per_day",
    "basal_hard_max_ug_per_day",
    "bolus_max_ug",  # of a patient bolus, independent of the basal
    "clinician_bolus_max_ug",
    "bolus_min_usteps",
    "bolus_duration_min_s",
    "bolus_duration_max_s",
    "lockout_min_s",
    "lockout_max_s",
    "deadspace_min_ul",
    "deadspace_max_ul",
    "bench_only",  # bool: accepted only by a pump provisioned for the bench; limited by the machine alone
)

Entry = namedtuple("Entry", FIELDS)


def _drug(concentrations, first_dose, soft_max, hard_max, bolus_max):
    return Entry(
        concentrations_ug_per_ml=concentrations,
        first_dose_max_ug_per_day=first_dose,
        basal_soft_max_ug_per_day=soft_max,
        basal_hard_max_ug_per_day=hard_max,
        bolus_max_ug=bolus_max,
        clinician_bolus_max_ug=bolus_max,
        bolus_min_usteps=MIN_BOLUS_USTEPS,
        bolus_duration_min_s=MIN_BOLUS_S,
        bolus_duration_max_s=units.HOUR_S,
        lockout_min_s=MIN_LOCKOUT_S,
        lockout_max_s=units.DAY_S,
        deadspace_min_ul=MIN_DEADSPACE_UL,
        deadspace_max_ul=MAX_DEADSPACE_UL,
        bench_only=False,
    )


def _test_fluid():
    # Limited by the machine: 240 mL per day, or a full 50 mL syringe, at the highest concentration.
    most_ug_per_day = units.MAX_FLOW_NL_PER_H * 24 // 1_000_000 * MAX_CONCENTRATION_UG_PER_ML
    most_ug = units.capacity_ul("bd-50") // 1_000 * MAX_CONCENTRATION_UG_PER_ML
    return Entry(
        concentrations_ug_per_ml=(),
        first_dose_max_ug_per_day=most_ug_per_day,
        basal_soft_max_ug_per_day=most_ug_per_day,
        basal_hard_max_ug_per_day=most_ug_per_day,
        bolus_max_ug=most_ug,
        clinician_bolus_max_ug=most_ug,
        bolus_min_usteps=1,
        bolus_duration_min_s=1,
        bolus_duration_max_s=MAX_CLINICIAN_BOLUS_S,
        lockout_min_s=60,
        lockout_max_s=units.DAY_S,
        deadspace_min_ul=1,
        deadspace_max_ul=10_000,
        bench_only=True,
    )


_MORPHINE = _drug((50, 100, 200, 500, 1000), 500, 2_000, 10_000, 500)
_HYDROMORPHONE = _drug((10, 20, 50, 100, 200), 100, 400, 2_000, 100)
_MORPHINE_EPIDURAL = _drug((100, 200, 500), 5_000, 20_000, 50_000, 2_000)
_FLUID = _test_fluid()

# The engineering fluid for every route and site: built in, also beside a clinic's library.
TEST_FLUID = {("test-fluid", route, site): _FLUID for route in ROUTES for site in SITES}

LIBRARY = {
    ("morphine", "intrathecal", "lumbar"): _MORPHINE,
    ("morphine", "intrathecal", "cisternal"): _MORPHINE,
    ("morphine", "epidural", "epidural"): _MORPHINE_EPIDURAL,
    ("hydromorphone", "intrathecal", "lumbar"): _HYDROMORPHONE,
    ("hydromorphone", "intrathecal", "cisternal"): _HYDROMORPHONE,
}
LIBRARY.update(TEST_FLUID)


def has_drug(library, drug):
    """True if any entry of `library` is for `drug`."""
    return any(key[0] == drug for key in library)


def allows_concentration(entry, ug_per_ml):
    """True if the entry lists `ug_per_ml`, or, for an entry without a list, if it is in range."""
    if entry.concentrations_ug_per_ml:
        return ug_per_ml in entry.concentrations_ug_per_ml
    return 1 <= ug_per_ml <= MAX_CONCENTRATION_UG_PER_ML


def daily_reference_ug(entry, basal_ug_per_day):
    """The daily dose that percentages refer to: the basal, or the first-dose ceiling if the basal is 0 (DEL-03)."""
    return basal_ug_per_day or entry.first_dose_max_ug_per_day


def in_order(entry):
    """True if the limits of `entry` are above 0 and each group below rises (LIB-05)."""
    basal_max = entry.basal_hard_max_ug_per_day
    rising = (
        (entry.first_dose_max_ug_per_day, entry.basal_soft_max_ug_per_day, basal_max),
        (entry.bolus_max_ug, basal_max),
        (entry.clinician_bolus_max_ug, basal_max),
        (entry.bolus_min_usteps,),
        (entry.bolus_duration_min_s, entry.bolus_duration_max_s),
        (entry.lockout_min_s, entry.lockout_max_s),
        (entry.deadspace_min_ul, entry.deadspace_max_ul),
    )
    return all(limits[0] > 0 and list(limits) == sorted(limits) for limits in rising)
