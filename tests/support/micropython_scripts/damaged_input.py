"""Run in MicroPython: damaged lines and documents into the whole pump on the simulated board.

Arguments: a JSON file of good examples (see test_damaged_input.py), number of lines, number of documents of each kind.
One line goes out with the pump's challenge and one comes in with the signed log-on; the last line is a JSON object of
the results. The script ends with an error at the first violation.
"""

import gc
import json
import sys
import time
from binascii import crc32, hexlify, unhexlify
from hashlib import sha256

import machine
from main import Loop
from pump.base.refusal import Refused
from pump.documents import library_document, people, provisioning
from pump.link import framing
from pump.prescribing import prescription
from world import World

MASK = 0x3FFFFFFF
RPC = b'"jsonrpc":"2.0"'
LETTERS = b'0123456789"{}[]:,.-eE\\tn'  # what the grammar is made of
REPORTS = 8  # looks at the memory, evenly spread
EXCESSES_A_LOOK = 50
ALNUM = b"0123456789abcdefghijklmnopqrstuvwxyz"
FRAMES_A_LIFE = 100_000  # until log-on is opened again, so that its parsers are reached


class Dice:
    """A linear congruential generator, of which the upper bits are used."""

    def __init__(self, seed):
        self._state = seed

    def below(self, n):
        self._state = (self._state * 1103515245 + 12345) & MASK
        return (self._state >> 8) % n


def mutated(original, dice):
    """A copy with one to three damages."""
    data = original
    for _ in range(1 + dice.below(3)):
        if not data:
            break
        at, kind = dice.below(len(data)), dice.below(8)
        if kind == 0:
            data = data[:at] + bytes([data[at] ^ 1 << dice.below(8)]) + data[at + 1 :]
        elif kind == 1:
            data = data[:at] + bytes([dice.below(256)]) + data[at + 1 :]
        elif kind == 2:
            data = data[:at] + data[at + 1 + dice.below(8) :]
        elif kind == 3:
            data = data[:at] + bytes([dice.below(256)]) + data[at:]
        elif kind == 4:
            data = data[: at + 1 + dice.below(40)] + data[at:]
        elif kind == 5:
            to = at + dice.below(len(data) - at)
            data = data[:at] + data[to : to + 1] + data[at + 1 : to] + data[at : at + 1] + data[to + 1 :]
        elif kind == 6:
            data = data[:at]
        else:
            letter = dice.below(len(LETTERS))
            data = data[:at] + LETTERS[letter : letter + 1] + data[at + 1 :]
    return data


def of_the_same_form(original, dice):
    """A copy in which one letter or digit is another."""
    while True:
        at, letter = dice.below(len(original)), dice.below(len(ALNUM))
        if original[at] in ALNUM and original[at] != ALNUM[letter]:
            return original[:at] + ALNUM[letter : letter + 1] + original[at + 1 :]


def excess(dice, bodies):
    """The body of a line that has more in it of something than any request, or a whole one."""
    size, kind = 1 << dice.below(13), dice.below(12)
    size = min(5_800, size + dice.below(size))
    if kind == 0:
        what = b"[" * (size // 2) + b"]" * (size // 2)
    elif kind == 1:
        what = b'{"a":' * (size // 6) + b"1" + b"}" * (size // 6)
    elif kind == 2:
        what = b"9" * size
    elif kind == 3:
        what = b"-1." + b"7" * (size // 2) + b"e" + b"3" * (size // 2)
    elif kind == 4:
        what = b"[" + b"1," * (size // 2) + b"1]"
    elif kind == 5:
        what = b"{" + b",".join(b'"%d":1' % k for k in range(size // 10)) + b"}"
    elif kind == 6:
        what = b'"\\u","b":' + b"8" * size + b',"c":"'  # MicroPython takes the quote as one of the four digits
    elif kind == 7:
        what = b'"' + (b"\\\\", b'\\"', b"{", b"\\n", b"7")[dice.below(5)] * (size // 2) + b'"'
    elif kind == 8:
        what = b" " * size
    elif kind == 9:
        return bodies[dice.below(len(bodies))]
    else:
        what = b'"' + b"x" * size + b'"'
    place = (
        b'{%2,"id":%s,"method":"prime"}',
        b'{%2,"id":"%d","method":%s}',
        b'{%2,"id":"%d","method":"prime","params":%s}',
        b'{%2,"id":"%d","method":"access.challenge","params":{"person":%s}}',
        b'{%2,"id":"%d","method":"document.begin","params":{"kind":%s,"length":1}}',
        b'{%2,"id":"%d","method":"therapy.stop","params":{},"auth":%s}',
        b'{%2,"id":"%d","method":"therapy.pause","params":{},"auth":%s}',
        b"%s",
    )[dice.below(8)]
    return place.replace(b"%2", RPC).replace(b"%d", b"%032d" % dice.below(1 << 20)).replace(b"%s", what)


def fuzz_excess(world, loop, bodies, count, dice):
    """What comes over the wire is answered, through the driver, and takes little memory: at once, and for good.

    `most` is all that one turn at the link allocates, garbage too: more than it can need at any moment.
    """
    wire, before = world.wire, standing(loop.pump)
    codes, memories, most, number = {}, [], 0, 500_000_000
    for k in range(count):
        number += 1
        whole = framing.seal(number, excess(dice, bodies))
        if dice.below(4) == 0:
            whole += (b"\n", b"\r\n", b"\r")[dice.below(3)] * dice.below(6_000)
        elif dice.below(8) == 0:
            whole = (b"A", b"\x00", b"7 ", b"\xff")[dice.below(4)] * (1 + dice.below(14_000)) + b"\n" + whole
        wire.send(whole)
        while wire.to_pump or wire.received:
            time.sleep_ms(1 + dice.below(40))
            gc.collect()
            gc.disable()
            held = gc.mem_alloc()
            loop._serve()
            most = max(most, gc.mem_alloc() - held)
            gc.enable()
        while loop._serve():
            pass
        time.sleep_ms(80)
        for _, said in wire.lines:
            reply = reply_of(said)
            assert len(said) < 6_000
            code = reply["error"]["data"]["code"] if "error" in reply else "answered"
            codes[code] = codes.get(code, 0) + 1
        wire.lines.clear()
        loop.pump.therapy.log_on_attempts.closed_until_s = 0
        if standing(loop.pump) != before:
            raise AssertionError("changed by %r" % whole)
        if k % EXCESSES_A_LOOK == 0:
            memories.append(memory(world))
    memories.append(memory(world))
    return {"codes": codes, "memory": memories, "most": most}


def boot(config):
    world = World(config)
    world.timeline.limit_us = 1 << 60
    world.boot()
    machine.attach(world)
    from board import Board

    loop = Loop(Board())
    loop.power_up()
    world.watchdog.stop()  # no turn of the loop feeds it here
    return world, loop


def standing(pump):
    """All that a line may not change."""
    therapy, staged = pump.therapy, pump.prescription_change.staged
    return (
        therapy.state, therapy.sequence, therapy.rx, therapy.needs_rx, therapy.started, therapy.primed,
        therapy.reservoir.fill_nl, staged, pump.clinician_actions.staged_order, therapy.wall_clock.offset_s,
        pump.trust.people_number, pump.trust.library_number, pump.trust.provisioning,
        pump.access.role, pump.access.session, therapy.confirmation.changes,
        pump.image_update.wants_boot_loader, pump.therapy.motion.in_flight, therapy.ledger.booked_nl(),
    )  # fmt: skip


def memory(world):
    gc.collect()
    written = sum(sector is not None for sector in world.flash.sectors)
    return gc.mem_alloc() - written * 4096  # what the simulated flash holds is no memory of the pump


def reply_of(said):
    """The object in an answer line, which must be whole."""
    assert said[-1:] == b"\n" and said[-9:-1] == b"%08x" % crc32(said[:-10]), said
    return json.loads(said[said.find(b" ") : -10])


def log_on(server):
    """Logs on as the clinician; the host signs. Returns the next line number and the session."""
    asked = server.answer(
        framing.seal(1, b'{%s,"id":1,"method":"access.challenge","params":{"person":"clinician"}}' % RPC)
    )
    print(reply_of(asked)["result"]["challenge"])
    params = sys.stdin.readline().strip().encode()
    said = server.answer(framing.seal(2, b'{%s,"id":2,"method":"access.log_on","params":%s}' % (RPC, params)))
    return reply_of(said)["result"]["session"], params


def token(seed, links, n):
    chained = unhexlify(seed)
    for _ in range(links - n):
        chained = sha256(chained).digest()
    return hexlify(chained).decode()


def lines_to_damage(start, session, log_on_params):
    """A good body of every method. Their tokens are used up: a copy of the line has no effect."""
    auth = ',"auth":"%s.1.%s"' % (session, token(start["seed"], start["links"], 1))
    bodies = []
    for number, (method, params) in enumerate(start["requests"]):
        text = '{"jsonrpc":"2.0","id":%d,"method":"%s","params":%s' % (100 + number, method, json.dumps(params))
        bodies.append((text + auth + "}").encode())
    bodies.append(b'{%s,"id":2,"method":"access.log_on","params":%s}' % (RPC, log_on_params))
    return bodies


def fuzz_lines(world, loop, start, count, dice):
    """Not one of `count` damaged lines may stop the server, be answered with nothing, or change anything."""
    server, pump = loop._server, loop.pump
    session, params = log_on(server)
    used = '{"jsonrpc":"2.0","id":3,"method":"clock.set","params":{"utc_s":1},"auth":"%s.1.%s"}' % (
        session, token(start["seed"], start["links"], 1),
    )  # fmt: skip
    assert b"clock_range" in server.answer(framing.seal(3, used.encode()))  # in role, and its token is spent
    assert pump.access.role
    bodies = lines_to_damage(start, session, params)
    before = standing(pump)
    codes, memories, number = {}, [], 3
    for k in range(count):
        body = bodies[dice.below(len(bodies))]
        number += 2
        good = framing.seal(number, body)
        if dice.below(2):
            checked = mutated(good[:-10], dice)
            whole = checked + b" %08x\n" % crc32(checked)
        else:
            whole = mutated(good, dice)
        if whole.rstrip(b"\r\n") == good.rstrip(b"\n"):
            continue  # damages that undid each other
        reply = reply_of(server.answer(whole))
        code = reply["error"]["data"]["code"] if "error" in reply else "answered"
        codes[code] = codes.get(code, 0) + 1
        if server._order._last < number - 4:  # a new connection began, or many lines were not taken
            server._order._last = number
        if pump.access.role != 1:
            raise AssertionError("logged off by %r" % whole)
        if standing(pump) != before:
            raise AssertionError("changed by %r" % whole)
        if k % FRAMES_A_LIFE == 0:
            pump.therapy.log_on_attempts.closed_until_s = 0
        if k % (count // REPORTS) == 0:
            memories.append(memory(world))
    memories.append(memory(world))
    return {"codes": codes, "memory": memories}, bodies


def fuzz_documents(parse, original, is_same, count, dice):
    """(accepted, refused): each damaged document ends as exactly what it says, or as Refused."""
    accepted = refused = 0
    for _ in range(count):
        document = mutated(original, dice)
        try:
            parsed = parse(document)
        except Refused:
            refused += 1
            continue
        accepted += 1
        if not is_same(document, parsed):
            raise AssertionError("accepted, but not exactly: %r" % document)
    return accepted, refused


def rx_is_exact(document, rx):
    """Written again from what was understood, it is the same but for blanks between the words and the order of keys."""
    said = rx.values()
    said["flow_nl_per_h"] = rx.flow_stated_nl_per_h
    for key in rx.zeros:
        said[key] = 0
    return json.loads(document) == said


def fuzz_signed(trust, start, count, dice):
    """Not one of `count` damaged prescriptions is admitted with the signatures of the original."""
    original = start["rx"]["document"].encode()
    codes = {}
    for _ in range(count):
        document = (mutated, of_the_same_form)[dice.below(2)](original, dice)
        if document == original:
            continue
        try:
            prescription.admit(document, start["rx"]["signatures"], None, trust, 0, None)
        except Refused as why:
            codes[why.code] = codes.get(why.code, 0) + 1
            continue
        raise AssertionError("admitted: %r" % document)
    return codes


def people_are_exact(document, found):
    listed = [json.loads(row) for row in document.split(b"\n")[1:-1]]
    return listed == [{"name": one.name, "roles": " ".join(one.roles), "key": one.key} for one in found.persons]


def library_is_exact(document, found):
    return len(found.entries) == len(document.split(b"\n")) - 2 + len(library_document.TEST_FLUID)


def block_is_exact(document, known):
    said = json.loads(document)
    return (said["serial"], said["bench"], int(said["authority"], 16)) == (known.serial, known.bench, known.authority)


def main(path, lines, documents):
    with open(path) as file:
        start = json.loads(file.read())
    dice = Dice(start["dice"])
    world, loop = boot(start["config"])
    seen, bodies = fuzz_lines(world, loop, start, lines, dice)
    seen["excess"] = fuzz_excess(world, loop, bodies, lines // 40, dice)
    held = memory(world)
    rx = start["rx"]["document"].encode()
    seen["prescriptions"] = fuzz_documents(prescription.parse, rx, rx_is_exact, documents, dice)
    seen["signed"] = fuzz_signed(loop.pump.trust, start, documents // 10, dice)
    tenth = documents // 10
    seen["people"] = fuzz_documents(people.parse, start["people"].encode(), people_are_exact, tenth // 4, dice)
    library = start["library"].encode()
    seen["library"] = fuzz_documents(library_document.parse, library, library_is_exact, tenth, dice)
    block = start["block"].encode()
    seen["blocks"] = fuzz_documents(provisioning.parse_text, block, block_is_exact, tenth, dice)
    seen["documents_memory"] = memory(world) - held
    print(json.dumps(seen))


main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
