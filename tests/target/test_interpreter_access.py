"""Access to the interpreter: none in a therapy image, by USB in a development image."""

from collections.abc import Callable
from pathlib import Path

import pytest
from cisterna.bench.rp2040.usb import UsbHost
from cisterna.bench.world.wiring import ENN
from cisterna.errors import TargetFailed
from cisterna.link.protocol import unframe
from cisterna.sim.scenario_host import planned_t0_ms
from support.chip.chip_run import SHORT_LINE_UL, play, scenario
from support.chip.repl import Repl
from support.chip.trace import MS, TracedTarget

pytestmark = pytest.mark.target

T0_S = planned_t0_ms(SHORT_LINE_UL) / 1000
IN_A_BOLUS = "60s", "2s press"
BOLUS = {"bolus_ug": 50, "bolus_duration_s": 60, "lockout_s": 60}
# Ctrl-C, Ctrl-A (raw REPL), Ctrl-D (soft reset, or run), Ctrl-E (paste mode), Ctrl-B (friendly REPL)
KNOCKS = (
    b"\x03", b"\x03\x03", b"\r\x03\x03\r\x01", b"\x03\x03\x01import machine\nmachine.reset()\x04", b"\x04",
    b"\x05import machine\nmachine.bootloader()\n\x04", b"\x02", b"\r\nimport machine; machine.reset()\r",
)  # fmt: skip
PROMPTS = (b">>>", b"===", b"raw REPL", b"MicroPython", b"Traceback", b"KeyboardInterrupt")


class Knocked(TracedTarget):
    """With a computer at the USB port, and scripted actions at moments of the chip's time.

    heard: every line on the link. usb: every byte on the USB port.
    """

    def __init__(self, image: Path, doings: dict[float, Callable[["Knocked"], None]]):
        super().__init__(image)
        self.heard: list[bytes] = []
        self.usb = b""
        self._doings = doings
        self.on_start = self._plug_in

    def _plug_in(self) -> None:
        self.host = UsbHost(self.chip)
        self.host.on_data = self._came
        for at_s, do in self._doings.items():
            self.chip.clock.create_alarm(lambda do=do: do(self)).schedule(at_s * 1000 * MS)

    def _came(self, data: bytes) -> None:
        self.usb += data

    def _line_arrived(self) -> None:
        self.heard.append(self._uart.lines[-1][1])
        super()._line_arrived()


def knock(what: bytes) -> Callable[[Knocked], None]:
    """On both ports. The line is ended, or it would be part of the clinician's next request."""

    def do(target: Knocked) -> None:
        target.send(what + b"\n")
        target.host.send(what)

    return do


@pytest.fixture(scope="module")
def undisturbed(therapy):
    return play(therapy, scenario(*IN_A_BOLUS, **BOLUS))


@pytest.fixture(scope="module")
def knocked(therapy):
    """Before the first instruction, while it starts, at rest, and in a bolus."""
    at_s = [0, 0.05, 0.15, 0.25, 0.33, 0.4, 1, 5]
    at_s += [T0_S + 5 + 0.37 * k for k in range(16 * len(KNOCKS))]
    target = Knocked(therapy, {t: knock(KNOCKS[k % len(KNOCKS)]) for k, t in enumerate(at_s)})
    return play(therapy, scenario(*IN_A_BOLUS, **BOLUS), target), target


def test_input_on_every_port_leaves_a_bolus_unchanged(undisturbed, knocked):
    """SEC-10, H35: the same steps, each moved by at most a request, 4 ms; garbage is collected in free time."""
    run, _ = knocked
    assert run.summary["state"] == "bolus" and run.summary["reboots"] == 0 and run.trace.watchdog_resets == []
    assert len(run.outcome.records) == len(undisturbed.outcome.records)
    mine, theirs = run.trace.steps(run.t0_ns), undisturbed.trace.steps(undisturbed.t0_ns)
    assert len(mine) > 500 and abs(len(mine) - len(theirs)) <= 1
    assert max(abs(a - b) for a, b in zip(mine, theirs, strict=False)) < 5 * MS


def test_nothing_answers_with_a_prompt(knocked):
    """SEC-07, SEC-11, H35: there is no USB device, and what is no request is answered as a line without its CRC."""
    run, target = knocked
    assert target.usb == b"" and not target.host.connected
    assert not [line for line in target.heard if any(prompt in line for prompt in PROMPTS)]
    answers = [unframe(line)[1] for line in target.heard]
    refused = [answer["error"]["code"] for answer in answers if answer.get("id") is None]
    assert len(refused) >= 16 * len(KNOCKS) and set(refused) == {-32700}


@pytest.fixture(scope="module")
def interrupted(development):
    """A development board that infuses; Ctrl-C after ten seconds, and then a light sleep at the prompt."""
    prompt = Repl(development)
    prompt.run(
        "import rp2, vfs\nfrom boards import wiring\n"
        "vfs.VfsLfs2.mkfs(rp2.Flash(start=wiring.FILES_START, len=wiring.FILES_LENGTH), progsize=256)"
    )
    storage = bytes(prompt.target.chip.mcu.flash[0x0C_0000:0x0F_0000])
    prompt.close()
    target = Knocked(
        development,
        {
            T0_S + 10: lambda target: target.host.send(b"\x03"),
            T0_S + 25: lambda target: target.host.send(b"import machine; machine.lightsleep(10)\r"),
        },
    )
    plug_in = target.on_start

    def begin() -> None:
        target.chip.mcu.flash[0x0C_0000:0x0F_0000] = storage
        plug_in()

    target.on_start = begin
    with pytest.raises(TargetFailed, match="does not answer"):
        play(development, scenario(*IN_A_BOLUS, **BOLUS), target)
    return target


def test_ctrl_c_on_a_development_board_releases_the_motor(interrupted):
    """The person who works on it has a prompt, a motor at rest, and no watchdog that bites."""
    trace, at_ns = interrupted.trace, (T0_S + 10) * 1000 * MS
    assert b"KeyboardInterrupt" in interrupted.usb and b">>> " in interrupted.usb
    assert len(trace.steps(at_ns - 5_000 * MS)) > 50 and trace.watchdog_resets == []
    let_go = [edge.ns for edge in trace.outputs if edge.pin == ENN and edge.level and edge.ns > at_ns]
    assert let_go and let_go[0] - at_ns < 100 * MS
    assert trace.steps(let_go[0]) == []


def test_the_trace_shows_a_gated_clock(interrupted):
    """What `test_motion_on_chip` looks for and does not find."""
    assert [ns for ns in interrupted.trace.clocks if ns > (T0_S + 25) * 1000 * MS]
