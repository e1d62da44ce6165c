"""The image starts on the chip, passes its self-test, and names itself."""

from pathlib import Path

import pytest
from cisterna.bench import display_text
from cisterna.bench.world.wiring import ENN, LIGHT_GREEN, LIGHT_RED, LIGHT_YELLOW, PIEZO
from cisterna.link.protocol import Requests, unframe
from cisterna.pharmacy import keys, provision
from cisterna.sim.bench_pharmacy import SERIAL
from support.chip import images, storage
from support.chip.trace import MS, TracedTarget

pytestmark = pytest.mark.target

POST_MS = 1_500
CHIPS, LINE = 0, 1  # buses: encoder, clock, FRAM, display; line pressure


def boot(image: Path, fram: dict[str, str] | None = None) -> TracedTarget:
    """A provisioned pump, switched on; nothing has run yet."""
    target = TracedTarget(image)
    config = provision.bench_target_config(SERIAL, keys.bench_keys())
    target.start({**config, "fram_image": {**(fram or {}), **config["fram_image"]}})
    return target


def ask(target: TracedTarget, method: str) -> dict:
    _, line = Requests().line(method)
    return unframe(target.exchange(line))[1]["result"]


@pytest.fixture(scope="module")
def up(therapy):
    with boot(therapy) as target:
        target.run_until(POST_MS)
        yield target


def test_the_self_test_passes_in_time_and_nothing_moves(up):
    (passed,) = [record.payload for record in storage.log(up.chip.mcu.flash) if record.name == "self_test"]
    assert passed["passed"] == 1
    state = ask(up, "state")
    assert state["state"] == "stopped" and state["alarms"] == []
    assert up.trace.grants == [] and up.trace.steps() == []
    assert up.world.gpio.levels[ENN] == 1


def test_hello_names_the_image_and_the_drivers_present(up, therapy):
    hello = ask(up, "hello")
    assert hello["board"] == "pico-therapy" and hello["serial"] == SERIAL and hello["bench"] is True
    assert hello["build"] == images.facts(therapy)["build"]
    assert {"stepper", "as5600", "abp2", "fram", "rv3028", "ssd1306", "watchdog"} <= set(hello["drivers"])


def test_the_display_shows_board_build_and_drivers(up):
    hello = ask(up, "hello")
    shown = display_text.text_rows(up.look())
    assert hello["board"] in shown
    assert f"build {hello['build']}"[:16].rstrip() in shown
    assert f"{len(hello['drivers'])} drivers" in shown


def test_at_rest_only_the_display_is_lit(up):
    assert [up.world.gpio.levels[pin] for pin in (LIGHT_RED, LIGHT_YELLOW, LIGHT_GREEN)] == [0, 0, 0]


def test_a_sensor_that_does_not_answer_is_found(therapy):
    """POST-02: the alarm stands, nothing can be started, and the pump says so."""
    with boot(therapy) as target:
        target.chip.buses[LINE].wire(None)
        target.run_until(POST_MS)
        assert target.world.gpio.levels[ENN] == 1
        state = ask(target, "state")
        assert state["state"] == "alarm" and state["alarms"] == ["self_test"]
        (result,) = [record.payload for record in storage.log(target.chip.mcu.flash) if record.name == "self_test"]
        assert result["passed"] == 0 and ask(target, "hello")["drivers"][result["failed_driver"]] == "abp2"
        assert "!self_test" in display_text.text_rows(target.look())


def test_without_its_memory_it_only_sounds_the_alarm(therapy):
    """WDG-01, POST-02: the dose given is unknown, so the pump never moves; light and sound, and no restart for ever."""
    with boot(therapy) as target:
        target.chip.buses[CHIPS].wire(None)
        target.run_until(20_000)
        trace = target.trace
        assert trace.watchdog_resets == [] and trace.grants == []
        last_s = 1_000 * MS
        assert trace.rises(LIGHT_RED, target.now_ns - last_s) and trace.rises(PIEZO, target.now_ns - 8 * last_s)
        assert not [edge for edge in trace.outputs if edge.pin == ENN and edge.level == 0]


def test_without_its_memory_it_says_so(therapy):
    """POST-02: on the link and on the display, and nothing can be loaded."""
    with boot(therapy) as target:
        target.world.fram.unplugged = True
        target.run_until(POST_MS)
        assert ask(target, "state")["alarms"] == ["self_test"] and ask(target, "hello")["self_test"] == "failed"
        assert "!self_test" in display_text.text_rows(target.look())


def test_without_any_chip_it_still_answers(therapy):
    """POST-02: memory, clock, display and encoder do not answer."""
    with boot(therapy) as target:
        target.chip.buses[CHIPS].wire(None)
        target.run_until(POST_MS)
        assert ask(target, "state")["alarms"] == ["self_test", "clock_invalid", "display"]


def test_a_memory_that_falls_silent_stops_the_pump_and_is_named(therapy):
    """ALM-26, WDG-10: the grant that cannot be written ahead is not made; the watchdog's restart finds the cause."""
    with boot(therapy) as target:
        target.run_until(POST_MS)
        target.world.fram.unplugged = True
        target.run_until(POST_MS + 90_000)  # the RTC's pair is written once a minute
        assert len(target.trace.watchdog_resets) == 1
        assert ask(target, "state")["alarms"] == ["self_test"]
        assert target.trace.rises(LIGHT_RED, target.now_ns - 1_000 * MS)


def test_the_self_test_of_a_pump_with_ten_years_of_data_passes_in_time(therapy):
    """The log has gone round, ten years of service, and a day with as many boluses as can be."""
    memory = storage.fram_after_years()
    with boot(therapy, {"0": memory.content[: provision.FRAM_ADDRESS].hex()}) as target:
        first = storage.fill_log(target.chip.mcu.flash)
        target.run_until(POST_MS)
        records = storage.log(target.chip.mcu.flash, first)
        assert [record.name for record in records] == ["boot", "state", "self_test"]
        assert records[0].boot == 1001 and records[0].payload["journal_ok"] == 1 and records[2].payload["passed"] == 1
