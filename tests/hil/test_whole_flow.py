"""From a pump that knows nobody to one that has treated and was stopped; on the simulated board."""

from cisterna import paths
from cisterna.bench.unix_target import UnixTarget
from hil import flow


def test_from_unpacking_to_log_off():
    """SEC-01, SEC-02, SEC-06, SEC-07, SEC-08, RX-01, H08, LIB-07: each step, and each step taken wrongly."""
    with UnixTarget(paths.firmware()) as target:
        flow.whole(target)
