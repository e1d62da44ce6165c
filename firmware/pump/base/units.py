"""Units of the dose path: nanolitres, nanograms, microsteps. Integers only; doses round down, durations round up.

A microstep (ustep) is the smallest motion of the motor. All amounts delivered, booked or limited are whole
microsteps; volume and mass are derived from that count, so they never drift from the motion.
"""

try:
    from micropython import const  # pyright: ignore[reportAssignmentType]
except ImportError:  # CPython: tests and host tools

    def const(value):
        return value


USTEPS_PER_REV = const(3200)  # 200 full steps of 16 microsteps
USTEPS_PER_FULL_STEP = const(16)
LEAD_UM = const(800)  # lead of the screw, um per revolution

MAX_FLOW_NL_PER_H = const(10_000_000)  # 10 mL/h, the most that the pump delivers
MIN_FLOW_NL_PER_H = const(10_000)  # 0.01 mL/h, the slowest basal other than 0

DAY_S = const(86_400)
HOUR_S = const(3_600)

# Syringe table: name -> [nominal volume in uL, bore in 0.01 mm, pL per microstep].
# pL = pi/4 * bore^2 * lead / USTEPS_PER_REV, rounded to the nearest picolitre (error below 2e-5).
# Lists, not tuples: an int past 8191 in a constant tuple is frozen into an image as an object, and every result
# computed from that int is an object too, which allocates (mpy-tool, mp_small_int_fits).
SYRINGES = {
    "bd-5": [5_000, 1207, 28_605],
    "bd-10": [10_000, 1450, 41_282],
    "bd-20": [20_000, 1913, 71_855],
    "bd-30": [30_000, 2170, 92_459],
    "bd-50": [50_000, 2670, 139_976],
}


def capacity_ul(syringe):
    """Nominal volume in uL of `syringe`, a key of SYRINGES. KeyError if unknown."""
    return SYRINGES[syringe][0]


def pl_per_ustep(syringe):
    """Volume in pL of one microstep of `syringe`, a key of SYRINGES. KeyError if unknown."""
    return SYRINGES[syringe][2]


def volume_nl_of_mass(ug, concentration_ug_per_ml):
    """Volume in nL that holds `ug`, rounded down: never more drug than ordered."""
    return ug * 1_000_000 // concentration_ug_per_ml


def usteps_of_volume(nl, pl_step):
    """Whole microsteps in `nl`, rounded down."""
    return nl * 1000 // pl_step


def volume_nl_of_usteps(usteps, pl_step):
    """Volume in nL of `usteps`, rounded up: the dose given is never understated."""
    return (usteps * pl_step + 999) // 1000


def mass_ng_of_usteps(usteps, pl_step, concentration_ug_per_ml):
    """Mass in ng of `usteps`, rounded up. 1 pL at 1 ug/mL holds 1e-6 ng."""
    return (usteps * pl_step * concentration_ug_per_ml + 999_999) // 1_000_000


def flow_nl_per_h(basal_ug_per_day, concentration_ug_per_ml):
    """Flow in nL/h of a basal, rounded down."""
    return basal_ug_per_day * 1_000_000 // (24 * concentration_ug_per_ml)
