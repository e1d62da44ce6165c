"""Chips on the buses, at the level of their registers."""

import pytest
from support.fakes.fake_board import Bus, Registers


class Answers:
    """A chip that keeps what is written and gives set answers."""

    def __init__(self, answer=b""):
        self.answer = answer
        self.written = []

    def write(self, data):
        self.written.append(data)

    def read(self, size):
        return self.answer[:size]


def test_as5600_reads_twelve_bits(fake):
    chip = Registers()
    chip.memory[0x0C:0x0E] = b"\xfa\xbc"  # the upper four bits are not ours
    encoder = fake.driver("as5600").AS5600(Bus({0x36: chip}))
    assert encoder.read() == 0xABC


@pytest.mark.parametrize("status, ok", [(0x20, True), (0x00, False), (0x30, False), (0x28, False)])
def test_as5600_judges_its_magnet(fake, status, ok):
    chip = Registers()
    chip.memory[0x0B] = status
    encoder = fake.driver("as5600").AS5600(Bus({0x36: chip}))
    assert encoder.magnet_ok() is ok


@pytest.mark.parametrize(
    "raw, pa",
    [
        (0x800000, 0),
        (0x800000 + 67_109, 1000),
        (1_677_722, -100_000),
        (15_099_494, 99_999),
        (0, -125_000),
        (0xFFFFFF, 124_999),
    ],
)
def test_abp2_pressure(fake, raw, pa):
    chip = Answers(b"\x40" + raw.to_bytes(3, "big") + b"\0\0\0")
    sensor = fake.driver("abp2").ABP2(Bus({0x28: chip}))
    sensor.trigger()
    assert sensor.read_pa() == pa == (raw - 0x800000) * 15625 // 2**20
    assert (sensor.raw, sensor.status) == (raw, 0x40)
    assert chip.written == [b"\xaa\0\0"]


@pytest.mark.parametrize("status, ok", [(0x40, True), (0x60, False), (0x44, False), (0x00, False)])
def test_abp2_proves_itself(fake, status, ok):
    sensor = fake.driver("abp2").ABP2(Bus({0x28: Answers(bytes([status, 0x80, 0, 0]))}))
    assert sensor.probe() is ok


def test_fram_keeps_what_is_written_to_the_last_byte(fake):
    fram = fake.driver("fram").FRAM(Bus({0x50: Registers(32768, width=2)}))
    fram.write(32768 - 4, b"pump")
    back = bytearray(4)
    fram.read_into(32768 - 4, back)
    assert back == b"pump"


class GlitchingBus(Bus):
    """A bus on which the next `glitches` transfers get no acknowledgement."""

    glitches = 0

    def _pass(self):
        if self.glitches:
            self.glitches -= 1
            raise OSError(5)

    def writeto(self, *args):
        self._pass()
        return super().writeto(*args)

    def writeto_mem(self, *args, **kinds):
        self._pass()
        return super().writeto_mem(*args, **kinds)

    def readfrom_mem_into(self, *args, **kinds):
        self._pass()
        return super().readfrom_mem_into(*args, **kinds)


@pytest.mark.parametrize("block", [b"pump", bytes(range(64))], ids=["4 bytes", "a pulse"])
def test_fram_tries_once_more_after_a_glitch(fake, block):
    """One transfer without acknowledgement is tried again whole, a second one is an error."""
    bus = GlitchingBus({0x50: Registers(32768, width=2)})
    fram, back = fake.driver("fram").FRAM(bus), bytearray(len(block))
    bus.glitches = 1
    fram.write(100, block)
    bus.glitches = 1
    fram.read_into(100, back)
    assert back == block
    for do in (lambda: fram.write(100, block), lambda: fram.read_into(100, back)):
        bus.glitches = 2
        with pytest.raises(OSError):
            do()


@pytest.mark.parametrize("address", [-1, 32768 - 3, 32768])
def test_fram_never_wraps(fake, address):
    fram = fake.driver("fram").FRAM(Bus({0x50: Registers(32768, width=2)}))
    with pytest.raises(ValueError, match="outside 0..32767"):
        fram.write(address, b"pump")


def test_rtc_sets_and_reads_unix_time(fake):
    chip = Registers()
    chip.memory[0x0E] = 0x21  # PORF, and a flag that is not ours
    rtc = fake.driver("rv3028").RV3028(Bus({0x52: chip}))
    assert rtc.power_lost()
    rtc.set_unix_s(1_767_600_000)
    assert rtc.unix_s() == 1_767_600_000
    assert not rtc.power_lost()
    assert chip.memory[0x0E] == 0x20
    with pytest.raises(ValueError):
        rtc.set_unix_s(1 << 32)


def test_rtc_that_ticks_while_read_is_read_again(fake):
    chip = Registers()
    rtc = fake.driver("rv3028").RV3028(Bus({0x52: chip}))
    readings = iter([b"\xff\0\0\0", b"\0\1\0\0", b"\0\1\0\0", b"\0\1\0\0"])
    chip.read = lambda size: next(readings)
    assert rtc.unix_s() == 256
    counts = iter(range(100))
    chip.read = lambda size: bytes([next(counts), 0, 0, 0])
    with pytest.raises(OSError):
        rtc.unix_s()


def test_rtc_battery_is_switched_on_once(fake):
    chip = Registers()
    chip.memory[0x37] = 0x10
    bus = Bus({0x52: chip})
    rtc = fake.driver("rv3028").RV3028(bus)
    rtc.use_battery()
    assert chip.memory[0x37] == 0x14
    assert not chip.memory[0x0F] & 0x08, "the settings are refreshed again"
    assert [t[1][1] for t in bus.transfers if t[1][0] == 0x27 and len(t[1]) > 1] == [0x00, 0x11]
    before = len(bus.transfers)
    rtc.use_battery()
    assert len(bus.transfers) == before + 1


def test_rtc_whose_eeprom_stays_busy_is_an_error(fake):
    chip = Registers()
    chip.memory[0x0E] = 0x80
    with pytest.raises(OSError):
        fake.driver("rv3028").RV3028(Bus({0x52: chip})).use_battery()


@pytest.mark.parametrize(
    "module, name, call",
    [
        ("as5600", "AS5600", lambda chip: chip.read()),
        ("abp2", "ABP2", lambda chip: chip.trigger()),
        ("abp2", "ABP2", lambda chip: chip.read_pa()),
        ("fram", "FRAM", lambda chip: chip.write(0, b"x")),
        ("rv3028", "RV3028", lambda chip: chip.unix_s()),
        ("ssd1306", "SSD1306", lambda chip: chip.probe()),
    ],
)
def test_a_chip_that_does_not_acknowledge_is_an_oserror(fake, module, name, call):
    chip = getattr(fake.driver(module), name)(Bus({}))
    with pytest.raises(OSError):
        call(chip)


@pytest.fixture
def screen(fake):
    chip = Answers()
    fake.bus = Bus({0x3C: chip})
    fake.display = fake.driver("display").Display(fake.driver("ssd1306").SSD1306(fake.bus))
    fake.rows = [f"row {i}" for i in range(8)]
    return fake


def pages_sent(screen):
    return [data[1] & 7 for _, data in screen.bus.transfers if data[0] == 0x80]


def test_display_sends_only_the_rows_that_changed(screen):
    screen.display.show(screen.rows)
    assert pages_sent(screen) == [0, 1, 2, 3, 4, 5, 6, 7]
    screen.bus.transfers.clear()
    screen.display.show(list(screen.rows))
    assert screen.bus.transfers == []
    screen.rows[5] = "3.21 mL"
    screen.display.show(screen.rows)
    assert pages_sent(screen) == [5]
    ((_, data),) = screen.bus.transfers
    assert data[:7] == b"\x80\xb5\x80\x00\x80\x10\x40", "one transfer: page 5, column 0, data"
    assert data[7:].startswith(b"33333333........22222222") and len(data) == 7 + 128


def test_display_that_failed_sends_the_rest_with_the_next_call(screen):
    screen.display.show(screen.rows)
    screen.rows[2] = "new"
    chip = screen.bus.chips.pop(0x3C)
    with pytest.raises(OSError):
        screen.display.show(screen.rows)
    screen.bus.chips[0x3C] = chip
    screen.bus.transfers.clear()
    screen.display.show(screen.rows)
    assert pages_sent(screen) == [2]


def test_invalidate_sends_every_row_again(screen):
    screen.display.show(screen.rows)
    screen.bus.transfers.clear()
    screen.display.invalidate()
    screen.display.show(screen.rows)
    assert len(pages_sent(screen)) == 8
    assert screen.bus.transfers[0][1].startswith(b"\x00\xae")


def test_a_display_that_lost_its_picture_is_found(screen):
    """It answers its address, but it is off: its supply was away."""
    screen.display.check()  # not started yet: nothing to lose
    screen.display.show(screen.rows)
    screen.bus.chips[0x3C].answer = b"\x00"
    screen.display.check()
    screen.bus.chips[0x3C].answer = b"\x40"
    with pytest.raises(OSError, match="off"):
        screen.display.check()
    screen.display.invalidate()
    screen.display.check()
    del screen.bus.chips[0x3C]
    with pytest.raises(OSError):
        screen.display.show(screen.rows)
