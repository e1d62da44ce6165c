"""The same day by the command line on the image that a pump carries, at its own UART."""

import pytest
from hil.live import LivePump
from hil.test_day_by_cli import Desk, whole
from target.therapy import SHORT_LINE_UL

pytestmark = pytest.mark.target


def test_a_day_by_the_command_line_on_the_chip(therapy, tmp_path):
    """Keys, people, drugs, a prescription, a full line, a clinician's bolus: no other program than `cisterna`."""
    pump = LivePump(tmp_path, "--image", str(therapy), board="rp2040")
    whole(Desk(pump, tmp_path, drug="test-fluid", deadspace_ul=SHORT_LINE_UL))
    assert pump.end() == 0
