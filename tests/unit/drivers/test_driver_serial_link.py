"""Lines over the UART: whole, bounded, never waiting."""

import random
from types import SimpleNamespace

import pytest
from support.fakes.fake_board import Uart


@pytest.fixture
def link(fake):
    wake = SimpleNamespace(woken=False)
    link = fake.driver("serial_link").SerialLink(0, tx=None, rx=None, baudrate=921_600, wake=wake)
    fake.link, fake.wake, fake.uart = link, wake, Uart.made

    def lines():
        """As the loop does it: again while there is a line, or something has woken it."""
        out = []
        while (line := link.read_line()) or wake.woken:
            wake.woken = False
            if line:
                out.append(bytes(line))
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


def test_unread_bytes_are_reported(link):
    assert not link.link.has_unread()
    link.uart.incoming += b"{1}\n{2}\n"
    assert link.link.has_unread()
    assert len(link.link.read_line()) == 3 and link.link.has_unread()
    assert len(link.link.read_line()) == 3 and not link.link.has_unread()
    link.uart.incoming += b"{3"
    assert link.lines() == [] and link.link.has_unread()


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
        while link.link.unsent:
            link.link.send()
    assert link.uart.sent == b"".join(b"%d" % i * 700 + b"\n" for i in range(10))
    assert link.link.is_sent()


def test_a_line_longer_than_the_buffer_is_sent_in_parts(link):
    """The transmit buffer holds 1024 bytes; what it has no room for waits, and is_sent says so."""
    line = bytes(range(256)) * 23 + b"\n"
    assert link.link.write(line)
    assert link.uart.sent == line[:1024] and not link.link.is_sent()
    assert link.link.write(b"next\n")
    parts = 0
    while link.link.unsent:
        link.link.send()
        parts += 1
    assert link.uart.sent == line + b"next\n" and 3 <= parts <= 5
    assert link.link.is_sent()


def test_a_full_uart_drops_whole_lines_and_never_waits(link):
    line = b"a" * 2999 + b"\n"
    link.uart.stuck = True
    assert [link.link.write(line) for _ in range(5)] == [True, True, True, False, False]
    assert link.link.dropped == 2 and link.uart.sent == line[:1024]
    link.uart.stuck = False
    while link.link.unsent:
        link.link.send()
    assert link.link.write(b"short\n")
    link.link.send()
    assert link.uart.sent == line * 3 + b"short\n"


def test_activity_wakes_the_loop(link):
    link.uart.handler(link.uart)
    assert link.wake.woken


def test_thousands_of_line_ends_are_passed_over_at_once(link):
    """SEC-10: one pass over the line and one move, for any number of line ends; the next line is read."""

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


def test_one_read_is_bounded_under_endless_input(link):
    """SEC-10: it takes no more than there is room for, and wakes the loop for the rest."""
    taken = []
    for what in (b"A", b"\n", b"A\n"):
        link.uart.incoming = Endless(what)
        for _ in range(5):
            link.wake.woken = False
            before = link.uart.incoming.taken
            line = link.link.read_line()
            taken.append(link.uart.incoming.taken - before)
            assert link.wake.woken or len(line) == 1
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
