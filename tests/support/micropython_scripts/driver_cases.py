"""Run in MicroPython: the drivers on the simulated board. Prints a JSON object: case -> null, or the error.

Each case gets a new world and a new Board. The script is the firmware here: time moves when it sleeps.
"""

import io
import json
import sys
import time

import machine
from boards import wiring
from boards.unix import Board
from world import World

HOUR_US = 3_600_000_000


def setup():
    world = World({"seed": 7})
    world.timeline.limit_us = 24 * HOUR_US
    world.boot()
    machine.attach(world)
    board = Board()
    board.watchdog.feed()  # motor power comes with the first pulse
    world.watchdog.stop()  # the cases sleep as long as they like
    board.steps.enable(True)
    board.steps.halt()
    return world, board


def steps(world):
    return world.truth()["steps"]


def equal(got, wanted):
    assert got == wanted, f"{got!r}, not {wanted!r}"


def case_every_chip_proves_itself(world, board):
    """POST-01."""
    equal([name for name, ok in board.probe() if not ok], [])
    equal(board.name, "unix")
    equal(board.motor_power(), True)
    equal(len(board.serial()), 16)
    equal(board.was_watchdog_reset(), False)


def case_a_silent_chip_fails_its_proof_alone(world, board):
    """POST-01."""
    world.act("sensor", name="pressure", fault="open")
    equal([name for name, ok in board.probe() if not ok], ["abp2"])
    for call in (board.pressure.trigger, board.pressure.read_pa):
        try:
            call()
        except OSError:
            continue
        raise AssertionError("no OSError")


def case_steps_rise_when_granted(world, board):
    world.act("mark_start")
    board.steps.grant(True, 8_000, 6_000, 5)
    for k in range(5):
        rise_us = 8_000 + 6_000 * k
        time.sleep_us(rise_us - 1 - world.timeline.now_us)
        equal(steps(world), k)
        equal(board.steps.made(), k)
        time.sleep_us(1)
        equal(steps(world), k + 1)
        equal(board.steps.made(), k + 1)
    time.sleep_ms(100)
    equal(steps(world), 5)
    equal(board.steps.busy(), False)


def case_backwards_is_backwards(world, board):
    world.act("mark_start")
    board.steps.grant(False, 5_000, 5_000, 7)
    time.sleep_ms(100)
    equal(steps(world), -7)


def case_no_step_comes_faster_than_the_floor(world, board):
    world.act("mark_start")
    board.steps.grant(True, 0, 0, 4)
    time.sleep_us(19_999)
    equal(steps(world), 3)


def case_halt_reads_back_what_moved(world, board):
    world.act("mark_start")
    board.steps.grant(True, 5_000, 10_000, 20)
    time.sleep_ms(57)
    equal(board.steps.halt(), 6)
    time.sleep_ms(500)
    equal(steps(world), 6)
    board.steps.grant(True, 5_000, 5_000, 3)
    time.sleep_ms(50)
    equal(steps(world), 9)
    equal(board.steps.made(), 3)


def gated_by(world, board, act, **keys):
    world.act("mark_start")
    board.steps.grant(True, 5_000, 5_000, 1000)
    time.sleep_ms(52)
    world.act(act, **keys)
    time.sleep_ms(500)
    equal(steps(world), 10)
    equal(board.steps.gated, True)
    equal(board.steps.grant(True, 5_000, 5_000, 5) if not board.steps.busy() else False, False)
    equal(board.steps.halt(), 10)
    board.unlock()  # the edge has not been taken yet: it stays shut
    equal(board.steps.grant(True, 5_000, 5_000, 1), False)
    out = [0, 0, 0]
    while board.contacts.take(out):
        pass
    board.unlock()
    equal(board.steps.grant(True, 5_000, 5_000, 1), True)


def case_stop_key_gates_the_motor(world, board):
    """ALS-13."""
    gated_by(world, board, "press", button="stop")


def case_door_gates_the_motor(world, board):
    """ALS-13, RES-02."""
    gated_by(world, board, "door", open=True)


def case_clamp_gates_the_motor(world, board):
    """ALS-13, ALM-09."""
    gated_by(world, board, "syringe", gripped=False)


def case_other_keys_do_not_gate(world, board):
    world.act("mark_start")
    board.steps.grant(True, 5_000, 5_000, 50)
    world.act("press", button="start")
    world.act("press", button="ack")
    world.act("press", button="pca")
    time.sleep_ms(500)
    equal(steps(world), 50)


def case_a_press_is_two_edges_a_contact_and_ends_a_wait(world, board):
    out = [0, 0, 0]
    while board.contacts.take(out):
        pass
    start = time.ticks_ms()
    world.act("press", button="pca", hold_ms=200)
    board.wait(5000)
    edges = []
    while True:
        while board.contacts.take(out):
            edges.append(tuple(out))
        if time.ticks_diff(time.ticks_ms(), start) >= 1000:
            break
        board.wait(1000)
    pressed, released = edges[0][2], edges[2][2]
    equal(sorted(edge[:2] for edge in edges[:2]), [(3, 0), (4, 1)])
    equal(sorted(edge[:2] for edge in edges[2:]), [(3, 1), (4, 0)])
    equal(time.ticks_diff(released, pressed), 200)
    equal(board.contacts.lost, 0)


def case_wait_is_as_long_as_asked(world, board):
    start = world.timeline.now_us
    board.wait(4321)
    equal(world.timeline.now_us - start, 4_321_000)


def case_chatter_overflows_and_is_counted(world, board):
    world.act("pendant", fault="chatter", for_s=10)
    time.sleep_ms(11_000)
    out = [0, 0, 0]
    taken = 0
    while board.contacts.take(out):
        taken += 1
    equal(taken, 63)
    assert board.contacts.lost > 300, board.contacts.lost


def case_pressure_is_what_the_line_has(world, board):
    world.act("connect")
    board.pressure.trigger()
    time.sleep_ms(5)
    pa = board.pressure.read_pa()
    assert abs(pa - 1000 * world.truth()["pressure_kpa"]) < 300, pa
    equal(board.pressure.status, 0x40)


def case_encoder_turns_with_the_screw(world, board):
    before = board.encoder.read()
    board.steps.grant(True, 5_000, 5_000, 800)  # a quarter turn
    time.sleep_ms(5_000)
    turned = (board.encoder.read() - before) % 4096
    assert abs(turned - 1024) < 40, turned


def case_fram_and_rtc_keep_their_word(world, board):
    board.fram.write(32_000, b"written ahead")
    back = bytearray(13)
    board.fram.read_into(32_000, back)
    equal(bytes(back), b"written ahead")
    board.rtc.set_unix_s(1_800_000_000)
    time.sleep_ms(5_000)
    equal(board.rtc.unix_s(), 1_800_000_005)
    world.act("rtc_battery")
    equal(board.rtc.power_lost(), True)
    board.rtc.use_battery()


def lit(world, page):
    return bytes(world.display.ram[128 * page : 128 * page + 128])


def case_display_shows_rows_and_sends_only_changes(world, board):
    rows = ["MORPHINE", "", "", "", "", "", "", "NOT FOR PATIENTS"]
    board.display.show(rows)
    equal(world.display.on, True)
    assert any(lit(world, 0)) and any(lit(world, 7)) and not any(lit(world, 3))
    writes = []
    write = world.display.write
    world.display.write = lambda data: writes.append(bytes(data)) or write(data)
    board.display.show(list(rows))
    equal(writes, [])
    rows[3] = "INFUSING"
    board.display.show(rows)
    equal(len(writes), 1)
    assert any(lit(world, 3))


def case_lines_go_both_ways(world, board):
    world.wire.send(b'{"id":1}\n' + b"x" * 7000 + b"\n" + b'{"id":2}\n')
    got = []
    for _ in range(3000):
        line = board.link.read_line()
        if line:
            got.append(bytes(line))
        elif len(got) == 2:
            break
        else:
            board.wait(100)
    equal(got, [b'{"id":1}', b'{"id":2}'])
    equal(board.link.overlong, 1)
    before = world.timeline.now_us
    answer = b"a" * 5000 + b"\n"
    equal([board.link.write(answer), board.link.write(answer)], [True, False])
    equal(world.timeline.now_us, before)  # nothing was waited for
    while not board.link.is_sent():
        board.link.send()
        time.sleep_ms(5)
    equal(board.link.write(b"more\n"), True)
    time.sleep_ms(1)
    equal([text for _, text in world.wire.lines], [answer, b"more\n"])


def case_light_and_sound_hold_their_word(world, board):
    """ALS-07."""
    board.lights.show(3)
    board.sound.show(3)
    assert world.sounds[wiring.LIGHT_MACHINE] and world.sounds[wiring.SOUND_MACHINE]
    board.sound.show(3, True)
    equal(world.sounds[wiring.SOUND_MACHINE], 0)
    assert world.sounds[wiring.LIGHT_MACHINE]


def case_log_flash_is_a_block_device(world, board):
    """LOG-03."""
    flash = board.log_flash
    equal((flash.ioctl(4, 0), flash.ioctl(5, 0)), (256, 4096))


def main():
    results = {}
    for name in sorted(name for name in globals() if name.startswith("case_")):
        try:
            globals()[name](*setup())
        except Exception as error:
            text = io.StringIO()
            sys.print_exception(error, text)
            results[name] = text.getvalue()
        else:
            results[name] = None
    print(json.dumps(results))


main()
