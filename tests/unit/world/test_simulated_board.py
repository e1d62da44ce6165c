"""`machine`, `rp2` and `time` of the simulated board, in CPython."""

import pytest
from cisterna.bench.world import PowerCut, WatchdogReset, World
from pump.storage import vault
from pump.storage.vault import Vault


class HostCalls(Exception):
    """The limit that the host has set is reached."""


@pytest.fixture
def world():
    made = World({"ticks_at_power_up_ms": 2**30 - 5000})
    made.timeline.limit_us = 1 << 50

    def host():
        raise HostCalls

    made.timeline.host = host
    return made


def test_ticks_wrap_as_on_the_chip(world, board):
    _, _, time = board(world)
    start = time.ticks_ms()
    assert start == 2**30 - 5000
    time.sleep_ms(7000)
    assert time.ticks_ms() == 2000
    assert time.ticks_diff(time.ticks_ms(), start) == 7000
    assert time.ticks_diff(start, time.ticks_ms()) == -7000
    assert time.ticks_add(start, 7000) == 2000


def test_timers_fire_at_their_millisecond(world, board):
    machine, _, time = board(world)
    seen = []
    one, many = machine.Timer(), machine.Timer()
    one.init(mode=machine.Timer.ONE_SHOT, period=30, callback=lambda _: seen.append(("one", world.timeline.now_us)))
    many.init(period=20, callback=lambda _: seen.append(("many", world.timeline.now_us)))
    machine.idle()
    assert seen == [("many", 20_000)]
    time.sleep_ms(40)
    many.deinit()
    time.sleep_ms(100)
    assert seen == [("many", 20_000), ("one", 30_000), ("many", 40_000), ("many", 60_000)]


def test_pin_interrupts_by_edge(world, board):
    machine, _, time = board(world)
    seen = []
    key = machine.Pin(10, machine.Pin.IN, machine.Pin.PULL_UP)
    key.irq(handler=lambda pin: seen.append((world.timeline.now_us, pin.value())), trigger=machine.Pin.IRQ_FALLING)
    time.sleep_ms(5)
    world.act("press", button="stop", hold_ms=100)
    machine.idle()
    time.sleep_ms(500)
    assert seen == [(5000, 0)]


def test_the_host_comes_before_what_is_due_at_its_instant(world, board):
    machine, _, _ = board(world)
    seen = []
    timer = machine.Timer(mode=machine.Timer.ONE_SHOT, period=10, callback=lambda _: seen.append("timer"))
    world.timeline.limit_us = 10_000
    with pytest.raises(HostCalls):
        machine.idle()
    assert world.timeline.now_us == 10_000 and not seen
    machine.Pin(10, machine.Pin.IN).irq(handler=lambda _: seen.append("key"))
    world.act("press", button="stop")
    world.timeline.limit_us = 1 << 50
    machine.idle()
    machine.idle()
    assert seen == ["key", "timer"]
    timer.deinit()


def test_grants_through_the_state_machine(world, board):
    from array import array

    machine, rp2, time = board(world)

    @rp2.asm_pio(set_init=rp2.PIO.OUT_LOW)
    def step_grant():
        pull(block)  # noqa: F821

    machine.Pin(3, machine.Pin.OUT, value=1)
    sm = rp2.StateMachine(0, step_grant, freq=1_000_000, set_base=machine.Pin(2))
    sm.active(1)
    sm.put(array("I", (5000, 5000, 9)))
    assert sm.tx_fifo() == 0
    time.sleep_ms(55)
    left = array("i", (0,))
    sm.exec(0xA0C1)
    sm.exec("push(noblock)")
    assert sm.rx_fifo() == 1
    sm.get(left)
    assert left[0] == 4
    time.sleep_ms(500)
    sm.exec("mov(isr, x)")
    sm.exec("push(noblock)")
    assert sm.get() == 0xFFFFFFFF
    with pytest.raises(ValueError, match="jmp"):
        sm.exec("jmp(x_dec, 3)")
    assert world.truth()["steps"] == 10


def test_a_full_fifo_blocks(world, board):
    machine, rp2, time = board(world)
    program = rp2.Program("step_grant", {})
    machine.Pin(3, machine.Pin.OUT, value=1)
    sm = rp2.StateMachine(0, program)
    sm.active(1)
    for _ in range(3):
        for word in (5000, 5000, 99):
            sm.put(word)
    assert time.ticks_us() != 0
    assert world.timeline.now_us == pytest.approx(1_000_000, abs=2000)  # waited for the first grant to end
    assert sm.tx_fifo() == 3


def test_other_programs_keep_their_last_word(world, board):
    _, rp2, _ = board(world)
    sm = rp2.StateMachine(4, rp2.Program("light_frames", {}), freq=4000)
    sm.active(1)
    sm.put(0x123)
    sm.restart()
    assert world.look()["sounds"] == {"4": 0x123}


def test_time_advances_in_a_busy_loop(world, board):
    _, _, time = board(world)
    start = time.ticks_ms()
    while time.ticks_diff(time.ticks_ms(), start) < 50:
        pass
    assert world.timeline.now_us >= 50_000


def test_watchdog_ends_a_busy_loop(world, board):
    machine, _, time = board(world)
    machine.WDT(timeout=1000)
    with pytest.raises(WatchdogReset):
        while True:
            time.ticks_ms()
    assert world.reset_cause == 3


def test_watchdog_resets_in_virtual_time_only(world, board):
    machine, _, time = board(world)
    dog = machine.WDT(timeout=8000)
    for _ in range(10):
        time.sleep_ms(7999)
        dog.feed()
    with pytest.raises(WatchdogReset):
        time.sleep_ms(8001)
    assert world.timeline.now_us == 10 * 7_999_000 + 8_000_000
    with pytest.raises(ValueError, match="8388"):
        machine.WDT(timeout=9000)


def test_a_power_cut_ends_every_later_call(world, board):
    machine, _, time = board(world)
    enn = machine.Pin(8, machine.Pin.OUT, value=0)
    bus = machine.I2C(0)
    world.act("power", off_for_s=60)
    for access in (
        lambda: time.sleep_ms(1),
        lambda: bus.writeto_mem(0x50, 0, b"x", addrsize=16),
        lambda: enn.value(1),
        time.ticks_ms,
        machine.idle,
    ):
        with pytest.raises(PowerCut):
            access()
    assert world.gpio.levels[8] == 1  # the resistor holds the coils off
    assert not world.truth()["powered"]


def test_uart_takes_time_and_drops_what_does_not_fit(world, board):
    machine, _, time = board(world)
    uart = machine.UART(0, baudrate=115200, rxbuf=64)
    seen = []
    uart.irq(handler=lambda _: seen.append(uart.any()), trigger=machine.UART.IRQ_RXIDLE)
    world.wire.send(b"0123456789\n")
    time.sleep_us(954)
    assert uart.any() == 0
    time.sleep_us(2)
    assert uart.read() == b"0123456789\n"
    assert seen == [11]
    assert uart.read() is None
    world.wire.send(b"x" * 100)
    time.sleep_ms(100)
    assert uart.any() == 64 and world.wire.lost == 36


def test_uart_write_waits_for_room(world, board):
    machine, _, _ = board(world)
    uart = machine.UART(0, baudrate=115200, txbuf=256, timeout=100)
    assert uart.write(b"a" * 200 + b"\n") == 201
    assert world.timeline.now_us == 0 and not uart.txdone()
    assert uart.write(b"b" * 400 + b"\n") == 401
    assert world.timeline.now_us == pytest.approx((602 - 288) * 86.8, rel=0.05)
    uart.flush()
    assert uart.txdone()
    assert [len(line) for _, line in world.wire.lines] == [201, 401]
    assert world.wire.lines[1][0] == pytest.approx(602 * 86.8, rel=0.01)


def test_a_uart_that_is_never_empty_keeps_the_bytes_in_order(world, board):
    """Times are rounded up to microseconds: a full buffer has no room, and never less than none."""
    machine, _, time = board(world)
    uart = machine.UART(0, baudrate=921_600, txbuf=1024)
    sent, left = b"", b"".join(b"%04d\n" % k for k in range(4000))
    whole = left
    while left:
        taken = uart.write(left) or 0
        assert taken >= 0 and world.wire.room() >= 0
        sent, left = sent + left[:taken], left[taken:]
        time.sleep_us(7)
    assert sent == whole
    uart.flush()
    assert b"".join(line for _, line in world.wire.lines) == whole


def test_uart_write_without_timeout_takes_what_there_is_room_for(world, board):
    """As machine.UART of the chip: the transmit buffer and the FIFO of 32 bytes; then None."""
    machine, _, _ = board(world)
    uart = machine.UART(0, baudrate=115200, txbuf=256)
    assert uart.write(b"a" * 400) == 288
    assert uart.write(b"a") is None
    assert world.timeline.now_us == 0


def test_flash_block_device(world, board):
    _, rp2, _ = board(world)
    flash = rp2.Flash(start=0x40000, len=0x100000)
    assert flash.ioctl(4) == 256 and flash.ioctl(5) == 4096
    flash.writeblocks(2, b"\x12\x34", 100)
    buf = bytearray(4)
    flash.readblocks(2, buf, 99)
    assert buf == b"\xff\x12\x34\xff"
    flash.writeblocks(2, bytes(4096))
    flash.readblocks(2, buf)
    assert buf == bytes(4)
    flash.ioctl(6, 2)
    flash.readblocks(2, buf)
    assert buf == b"\xff" * 4
    with pytest.raises(ValueError, match="0x2f000"):
        rp2.Flash(start=0x2F000, len=4096)
    with pytest.raises(ValueError, match="0x140000"):
        rp2.Flash(start=0x13F000, len=8192)


def test_vault_and_log_are_apart(world, board):
    _, rp2, _ = board(world)
    vault = rp2.Flash(start=0x30000, len=0x10000)
    log = rp2.Flash(start=0x40000, len=0x100000)
    assert vault.ioctl(4) == 16
    vault.writeblocks(15, b"end", 4093)
    log.writeblocks(0, b"begin", 0)
    vault.ioctl(6, 14)
    buf = bytearray(8)
    vault.readblocks(15, buf, 4093)  # runs on into the log, as it does in the chip
    assert buf == b"endbegin"
    log.ioctl(6, 0)
    vault.readblocks(15, buf, 4093)
    assert buf == b"end\xff\xff\xff\xff\xff"
    assert [sector for sector, erased in enumerate(world.flash.erases) if erased] == [14, 16]


SIGNATURE = bytes(range(192)) * 2


def test_a_new_pump_has_the_documents_it_was_given(board):
    library = (5, b"a library", SIGNATURE)
    world = World({"vault_image": vault.image(library=library).hex()})
    _, rp2, _ = board(world)
    held = Vault(rp2.Flash(start=0x30000, len=0x10000))
    assert held.read(vault.PEOPLE) is None and held.read(vault.LIBRARY) == library
    held.write(vault.LIBRARY, 6, b"a newer one", SIGNATURE)
    assert held.read(vault.LIBRARY)[0] == 6


@pytest.mark.parametrize("byte", [0, 1, 100, 255, 256])
@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_a_power_cut_while_a_document_is_written(board, n, byte):
    """PWR-08: text of two pages, then the head of two; whichever is cut, the old document is there or the new one."""
    old, new = (1, b"old" * 100, SIGNATURE), (2, b"new" * 150, SIGNATURE)
    world = World({"vault_image": vault.image(people=old).hex()})
    _, rp2, _ = board(world)
    held = Vault(rp2.Flash(start=0x30000, len=0x10000))
    world.act("cut_at_write", n=n, byte=byte, off_for_s=1)
    with pytest.raises(PowerCut):
        held.write(vault.PEOPLE, *new)
    world.timeline.ending = None
    assert not world.powered
    found = held.read(vault.PEOPLE)
    assert found == (new if (n, byte) == (4, 256) else old)
    assert not held.is_damaged(vault.PEOPLE)


def test_i2c_scan_and_reset(world, board):
    machine, _, _ = board(world)
    assert machine.I2C(0).scan() == [0x36, 0x3C, 0x50, 0x52]
    assert machine.I2C(1).scan() == [0x28]
    with pytest.raises(OSError):
        machine.I2C(1).readfrom(0x50, 1)
    with pytest.raises(BaseException, match="reset"):
        machine.reset()


def test_the_pool_of_timers_is_as_small_as_the_chips(world, board):
    machine, _, time = board(world)

    def begin():
        return machine.Timer(mode=machine.Timer.ONE_SHOT, period=5, callback=lambda _: None)

    for _ in range(3):
        running = [begin() for _ in range(16)]
        with pytest.raises(OSError, match="12"):
            begin()
        time.sleep_ms(10)
    running[3].init(mode=machine.Timer.ONE_SHOT, period=5, callback=lambda _: None)
    machine.idle()
