"""The same day by the command line on the image that a pump carries, at its own UART."""

import pytest
from support.chip.chip_run import SHORT_LINE_UL
from support.simulated.command_line_day import CommandLineDesk, whole_day
from support.simulated.pump_process import PumpProcess

pytestmark = pytest.mark.target


def test_a_day_by_the_command_line_on_the_chip(therapy, tmp_path):
    """Keys, people, drugs, a prescription, a full line, a clinician's bolus: no other program than `cisterna`."""
    pump = PumpProcess(tmp_path, "--image", str(therapy), board="rp2040")
    whole_day(CommandLineDesk(pump, tmp_path, drug="test-fluid", deadspace_ul=SHORT_LINE_UL))
    assert pump.end() == 0
