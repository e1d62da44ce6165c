"""The same first day with a clinic on the image that a pump carries."""

import pytest
from cisterna.bench.rp2040.target import Rp2040Target
from support.simulated import clinic_flow

pytestmark = pytest.mark.target


def test_from_unpacking_to_log_off_on_the_chip(therapy):
    """SEC-01, SEC-02, SEC-06, SEC-07, SEC-08, LIB-07: people and library lie in the chip's own flash."""
    with Rp2040Target(therapy) as target:
        clinic_flow.whole(target)
