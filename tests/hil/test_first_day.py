"""A pump's first day, from provisioning to a stopped therapy, on the simulated board."""

from cisterna import paths
from cisterna.bench.unix_target import UnixTarget
from support.simulated import clinic_flow


def test_from_unpacking_to_log_off():
    """SEC-01, SEC-02, SEC-06, SEC-07, SEC-08, RX-01, H08, LIB-07: each step, and each step taken wrongly."""
    with UnixTarget(paths.firmware()) as target:
        clinic_flow.whole(target)
