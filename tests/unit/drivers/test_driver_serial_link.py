"""Lines over the UART: whole, bounded, never waiting."""

import random
from types import SimpleNamespace

import pytest
from _fake_board import Uart


@pytest.fixture
def link(fake):
    wake = SimpleNamespace(woken=False)
    link = fake.driver("serial_link").SerialLink(0, tx=None, rx=None, baudrate=921_600, wake=wake)
    fake.link, fake.wake, fake.uart = link, wake, Uart.made
    fake.buffer = bytearray(6000)

    def lines():
        """As the loop does it: again while there is a line, or something has woken it."""
        out = []
        while (size := link.read_line(fake.buffer)) or wake.woken:
            wake.woken = False
            if size:
                out.append(bytes(fake.buffer[:size]))
        return out

    fake.lines = lines
    return fake


def test_a_line_that_comes_in_pieces_is_given_whole(link):
    link.uart.incoming += b'{"id"'
    assert link.lines() == []
    link.uart.incoming += b":1}\r\n\n{2}\n{3"
    assert link.lines() == [b'{"id":1}', b"{2}"]
    link.uart.incoming += b"}\n"
    assert link.lines() == [b"{3}"]


def test_the_longest_line_fits_and_a_longer_one_is_dropped_whole(link):
    longest = b"x" * 5999
    link.uart.incoming += longest + b"\n"
    assert link.lines() == [longest]
    link.uart.incoming += b"y" * 20_000 + b"\nshort\n"
    assert link.lines() == [b"short"]
    assert link.link.overlong == 1
    link.uart.incoming += b"z" * 6000 + b"\n" + longest + b"\n"
    assert link.lines() == [longest]
    assert link.link.overlong == 2


def test_whether_something_has_been_heard_that_nobody_has_read(link):
    assert not link.link.has_heard()
    link.uart.incoming += b"{1}\n{2}\n"
    assert link.link.has_heard()
    assert link.link.read_line(link.buffer) == 3 and link.link.has_heard()
    assert link.link.read_line(link.buffer) == 3 and not link.link.has_heard()
    link.uart.incoming += b"{3"
    assert link.lines() == [] and link.link.has_heard()


@pytest.mark.parametrize("size", [1, 2, 7, 100, 1024])
def test_any_cut_of_the_stream_gives_the_same_lines(link, size):
    wanted = [b"%d" % i * (i % 50 + 1) for i in range(300)]
    stream = b"\n".join(wanted) + b"\n"
    got = []
    for i in range(0, len(stream), size):
        link.uart.incoming += stream[i : i + size]
        got += link.lines()
    assert got == wanted


def test_what_is_written_comes_out_in_order(link):
    for i in range(10):
        assert link.link.write(b"%d" % i * 700 + b"\n")
    assert link.uart.sent == b"".join(b"%d" % i * 700 + b"\n" for i in range(10))


def test_a_uart_that_has_not_sent_yet_costs_whole_lines_never_time(link):
    line = b"a" * 2999 + b"\n"
    link.uart.stuck = True
    assert [link.link.write(line) for _ in range(4)] == [True, True, False, False]
    assert link.link.write(b"short\n")
    assert link.link.dropped == 2
    link.uart.stuck = False
    assert link.link.write(line)
    assert link.uart.sent == line * 2 + b"short\n" + line


def test_activity_wakes_the_loop(link):
    link.uart.handler(link.uart)
    assert link.wake.woken


def test_thousands_of_line_ends_are_passed_over_at_once(link):
    """SEC-10: one look at the line, and one move of it, however many there are; what follows is heard."""

    class Counted(bytearray):
        def find(self, *args):
            looks.append(args)
            return super().find(*args)

    looks = []
    link.link._line = Counted(6000)
    link.link._line_view = memoryview(link.link._line)
    for ends in (b"\n" * 6000, b"\r\n" * 3000, b"\r" * 5000 + b"\n"):
        looks.clear()
        link.uart.incoming += ends
        assert link.lines() == [] and len(looks) <= 4, ends[:4]
        link.uart.incoming += b"here\n" + ends + b"there\n"
        assert link.lines() == [b"here", b"there"]
    assert link.link.overlong == 0


def test_one_call_ends_though_the_other_side_does_not(link):
    """SEC-10: it takes no more than there is room for, and wakes the loop for the rest."""
    taken = []
    for what in (b"A", b"\n", b"A\n"):
        link.uart.incoming = Endless(what)
        for _ in range(5):
            link.wake.woken = False
            before = link.uart.incoming.taken
            length = link.link.read_line(link.buffer)
            taken.append(link.uart.incoming.taken - before)
            assert link.wake.woken or length == 1
    assert max(taken) == 6000
    link.uart.incoming = bytearray(b"\nheard\n")
    while (line := link.lines())[-1:] != [b"heard"]:
        assert set(line) <= {b"A"}
    assert link.link.overlong == 1


class Endless:
    """Somebody who never stops sending."""

    def __init__(self, what):
        self._what, self.taken = what, 0

    def __len__(self):
        return 100_000

    def __getitem__(self, part):
        return bytearray(self._what * (part.stop // len(self._what)))

    def __delitem__(self, part):
        self.taken += part.stop


@pytest.mark.parametrize("seed", range(20))
def test_whatever_is_sent_the_lines_are_those_between_the_ends(link, seed):
    """COM-01: line ends in heaps, lines too long, cuts anywhere."""
    dice = random.Random(seed)
    pieces = [dice.choice((b"\n", b"\r\n", b"\n" * 500, b"a", b"b" * 700, b"c" * 6100 + b"\n")) for _ in range(200)]
    stream = b"".join(pieces) + b"\n"
    wanted = [line.rstrip(b"\r") for line in stream.split(b"\n") if len(line) < 6000]
    got = []
    while stream:
        cut = dice.randrange(1, 3000)
        link.uart.incoming += stream[:cut]
        stream = stream[cut:]
        got += link.lines()
    assert got == [line for line in wanted if line]
