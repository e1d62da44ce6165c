"""Lines over the UART: whole, bounded, never waiting."""

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
        out = []
        while size := link.read_line(fake.buffer):
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
