"""The simulated chips at their registers: encoder, pressure sensor, FRAM, flash, RTC, display."""

import pytest
from cisterna.bench.world import PowerCut, World


def read(chip, register, n, width=1):
    buf = bytearray(n)
    chip.read_at(register, width, buf)
    return bytes(buf)


def angle(world):
    high, low = read(world.encoder, 0x0C, 2)
    return high << 8 | low


def measure(bench):
    world = bench.world
    world.pressure.write(b"\xaa\x00\x00")
    bench.timeline.now_us += 5000
    buf = bytearray(7)
    world.pressure.read_into(buf)
    return buf[0], int.from_bytes(buf[1:4], "big")


def kpa(count):
    return (count / (1 << 24) - 0.5) / 0.8 * 200


def test_encoder_turns_with_the_screw(bench):
    bench.energise()
    start = angle(bench.world)
    bench.pump(800)
    assert (angle(bench.world) - start) % 4096 == pytest.approx(1024, abs=2)
    bench.pump(3200)
    assert (angle(bench.world) - start) % 4096 == pytest.approx(1024, abs=2)


def test_encoder_is_off_by_its_non_linearity(make_bench):
    bench = make_bench(encoder_inl_deg=1.0)
    bench.energise()
    start, errors = angle(bench.world), []
    for n in range(1, 33):
        bench.pump(100)
        errors.append(((angle(bench.world) - start - n * 128 + 2048) % 4096) - 2048)
    assert 15 < max(errors) - min(errors) < 28  # +-1 deg is +-11.4 counts


def test_encoder_registers(bench):
    world = bench.world
    assert read(world.encoder, 0x0B, 1) == b"\x20"
    world.encoder.set_magnet(0x10)
    assert read(world.encoder, 0x0B, 1) == b"\x10"
    assert len({angle(world) for _ in range(200)}) == 3  # one count of jitter either way
    world.encoder.write(b"\x0e")
    buf = bytearray(2)
    world.encoder.read_into(buf)
    assert abs((buf[0] << 8 | buf[1]) - angle(world)) <= 2


@pytest.mark.parametrize("fault, spread", [("stuck", 0), ("ok", 2), ("offset", 2)])
def test_encoder_faults(bench, fault, spread):
    before = angle(bench.world)
    bench.world.act("sensor", name="encoder", fault=fault)
    seen = [angle(bench.world) for _ in range(100)]
    assert max(seen) - min(seen) == spread
    if fault == "offset":
        assert (seen[0] - before) % 4096 == pytest.approx(20 * 4096 / 360, abs=2)


def test_an_open_sensor_does_not_acknowledge(bench):
    buses = bench.world.buses
    bench.world.act("sensor", name="pressure", fault="open")
    with pytest.raises(OSError) as caught:
        buses[1].chip(0x28)
    assert caught.value.args == (5,)
    bench.world.act("sensor", name="pressure", fault="ok")
    assert buses[1].chip(0x28) is bench.world.pressure
    with pytest.raises(OSError):
        buses[0].chip(0x11)


def test_pressure_scale_and_busy_bit(bench):
    world = bench.world
    world.plant.line.kpa = 40.0
    world.plant.line.clamp(1.0)
    world.pressure.write(b"\xaa\x00\x00")
    buf = bytearray(1)
    world.pressure.read_into(buf)
    assert buf == b"\x60"
    status, count = measure(bench)
    assert status == 0x40
    assert kpa(count) == pytest.approx(40, abs=0.101)  # zero drift


def test_pressure_is_that_of_the_trigger(bench):
    world = bench.world
    world.plant.line.clamp(1.0)
    world.plant.line.kpa = 10.0
    world.pressure.write(b"\xaa\x00\x00")
    world.plant.line.kpa = 20.0
    bench.timeline.now_us += 60_000_000
    buf = bytearray(4)
    world.pressure.read_into(buf)
    assert kpa(int.from_bytes(buf[1:4], "big")) == pytest.approx(10, abs=0.101)


def test_pressure_saturates(bench):
    bench.world.plant.line.clamp(1.0)
    bench.world.plant.line.kpa = 180.0
    assert measure(bench) == (0x41, (1 << 24) - 1)


def test_a_live_pressure_always_flickers_and_a_stuck_one_never(bench):
    world = bench.world
    live = [measure(bench)[1] for _ in range(100)]
    assert len(set(live)) > 3
    world.act("sensor", name="pressure", fault="stuck")
    assert len({measure(bench)[1] for _ in range(100)}) == 1
    world.act("sensor", name="pressure", fault="noise")
    noisy = [kpa(measure(bench)[1]) for _ in range(400)]
    mean = sum(noisy) / 400
    assert (sum((x - mean) ** 2 for x in noisy) / 400) ** 0.5 == pytest.approx(5, rel=0.15)
    world.act("sensor", name="pressure", fault="offset", value=-12)
    assert kpa(measure(bench)[1]) == pytest.approx(-12, abs=0.11)


def test_pressure_noise_has_its_deviation(make_bench):
    bench = make_bench(pressure_noise_kpa=0.02)
    seen = [kpa(measure(bench)[1]) for _ in range(1000)]
    mean = sum(seen) / 1000
    assert (sum((x - mean) ** 2 for x in seen) / 1000) ** 0.5 == pytest.approx(0.02, rel=0.1)


def test_fram_wraps_and_keeps(bench):
    fram = bench.world.fram
    fram.write(b"\x7f\xfeABCD")
    assert read(fram, 0x7FFE, 4, 2) == b"ABCD"
    assert read(fram, 0, 2, 2) == b"CD"
    fram.write(b"\x00\x00")
    buf = bytearray(2)
    fram.read_into(buf)
    assert buf == b"CD"
    fram.write_at(0x8001, 2, b"x")  # the top address bit is not decoded
    assert read(fram, 1, 1, 2) == b"x"


@pytest.mark.parametrize("kept", range(5))
def test_power_fails_after_any_byte_of_a_write(bench, kept):
    world = bench.world
    world.fram.write_at(10, 2, b"....")
    world.act("cut_at_write", n=2, byte=kept, off_for_s=1)
    world.fram.write_at(20, 2, b"whole")
    with pytest.raises(PowerCut):
        world.fram.write_at(10, 2, b"ABCD")
    assert read(world.fram, 10, 4, 2) == b"ABCD"[:kept] + b"...."[kept:]
    assert read(world.fram, 20, 5, 2) == b"whole"
    assert not world.powered


def test_flash_is_nor(bench):
    flash = bench.world.flash
    buf = bytearray(4)
    flash.read(4094, buf)
    assert buf == b"\xff" * 4
    flash.program(4094, b"\xf0\x0f\xaa\x55")
    flash.program(4094, b"\x0f\xff\xff\xff")
    flash.read(4094, buf)
    assert buf == b"\x00\x0f\xaa\x55"
    flash.erase(1)
    flash.read(4094, buf)
    assert buf == b"\x00\x0f\xff\xff"


def test_flash_that_was_loaded(bench):
    """Loaded before power-up: over any content, across sectors; blank sectors stay unchanged."""
    flash = bench.world.flash
    flash.program(4090, bytes(12))
    flash.load(4094, b"\xf0\x0f\xaa\x55" + b"\xff" * 9000)
    buf = bytearray(12)
    flash.read(4090, buf)
    assert buf == b"\0\0\0\0\xf0\x0f\xaa\x55\xff\xff\xff\xff"
    assert flash.sectors[2] is None and not any(flash.erases)
    flash.program(4094, b"\x0f\xff\xff\x0f")
    flash.read(4090, buf)
    assert buf == b"\0\0\0\0\0\x0f\xaa\x05\xff\xff\xff\xff"


@pytest.mark.parametrize("kept", range(5))
def test_power_fails_after_any_byte_of_a_write_to_flash(bench, kept):
    world = bench.world
    world.act("cut_at_write", n=2, byte=kept, off_for_s=1)
    world.flash.program(4000, b"whole")
    with pytest.raises(PowerCut):
        world.flash.program(4094, b"ABCD")
    buf = bytearray(4)
    world.flash.read(4094, buf)
    assert buf == b"ABCD"[:kept] + b"\xff" * (4 - kept)
    world.flash.read(4000, buf)
    assert buf == b"whol" and not world.powered


@pytest.mark.parametrize("wrong", ["abc", "0x12", "zz", "ff" * 0x10001, 12, b"ff", None, "\u00b5\u00b5"])
def test_an_invalid_vault_image(wrong):
    with pytest.raises(ValueError, match="vault_image is .*; an even number of hex digits, at most 131072, is wanted"):
        World({"vault_image": wrong})


def test_clock_runs_on_its_battery(bench):
    world = bench.world
    start = int.from_bytes(read(world.rtc, 0x1B, 4), "little")
    bench.to(100.5)
    assert int.from_bytes(read(world.rtc, 0x1B, 4), "little") == start + 100
    world.rtc.write(b"\x1b" + (1_800_000_000).to_bytes(4, "little"))
    bench.to(102.4)
    assert int.from_bytes(read(world.rtc, 0x1B, 4), "little") == 1_800_000_001
    assert read(world.rtc, 0x0E, 1) == b"\x00"
    world.act("rtc_battery")
    assert read(world.rtc, 0x0E, 1) == b"\x01"


def test_display_takes_pages_and_windows(bench):
    display = bench.world.display
    display.write(b"\x00\xae\xaf\xb3\x05\x12")  # page 3, column 0x25
    display.write(b"\x40AB")
    assert display.on
    assert display.ram[3 * 128 + 0x25 : 3 * 128 + 0x27] == b"AB"
    display.write(b"\x80\x20\x80\x00\x00\x21\x7e\x7f\x22\x01\x02")  # horizontal, columns 126-127, pages 1-2
    display.write(b"\x40wxyz")
    assert display.ram[128 + 126 : 256] == b"wx"
    assert display.ram[256 + 126 : 384] == b"yz"
