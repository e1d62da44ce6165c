# ruff: noqa: F821  (rp2.asm_pio defines the names in a PIO program)
# pyright: reportUndefinedVariable=false, reportCallIssue=false, reportIndexIssue=false, reportArgumentType=false
"""Alarm lights and sound by PIO state machines: an alarm continues while the CPU hangs.

Priorities 0 none, 1 low, 2 medium, 3 high. IEC 60601-1-8 windows:

            light                         sound (pulses of a square tone)
    high    red 2 Hz, half on             3 + 2 + 3 + 2 pulses of 120 ms, every 7.7 s (4.4 s of rest)
    medium  yellow 0.5 Hz, half on        3 pulses of 200 ms, every 12.8 s (11.8 s of rest)
    low     yellow steady                 1 pulse of 240 ms, every 15.4 s (15.1 s of rest)

Green is steady while infusing. Both programs repeat the word in X for ever, until the CPU changes it.
"""

from micropython import const
from rp2 import PIO, StateMachine, asm_pio

NONE = const(0)
LOW = const(1)
MEDIUM = const(2)
HIGH = const(3)

# Instructions that the CPU gives to a state machine, encoded (RP2040 data sheet 3.4).
_PULL_NOBLOCK = const(0x8080)  # pull(noblock)
_MOV_X_OSR = const(0xA027)  # mov(x, osr)


def _repeat(machine, word):
    """Restart `machine` with `word` in X. It is stopped first, or it could take the word from the FIFO itself."""
    machine.active(0)
    machine.put(word)
    machine.exec(_PULL_NOBLOCK)
    machine.exec(_MOV_X_OSR)
    machine.restart()
    machine.active(1)


# --- lights: a word is 8 frames of 250 ms, 3 bits each (red, yellow, green), first frame in the lowest bits

_RED_2_HZ = const(0b000_001_000_001_000_001_000_001)
_YELLOW_HALF_HZ = const(0b000_000_000_000_010_010_010_010)
_YELLOW = const(0b010_010_010_010_010_010_010_010)
_GREEN = const(0b100_100_100_100_100_100_100_100)
_FRAMES = [0, _YELLOW, _YELLOW_HALF_HZ, _RED_2_HZ]  # a list: see SYRINGES of pump.base.units
_FRAME_CLOCK_HZ = const(4108)  # 1027 cycles a frame: 250 ms


@asm_pio(out_init=(PIO.OUT_LOW, PIO.OUT_LOW, PIO.OUT_LOW), out_shiftdir=PIO.SHIFT_RIGHT, pull_thresh=24)
def light_frames():
    wrap_target()
    mov(osr, x)
    label("frame")
    out(pins, 3)
    set(y, 31)
    label("hold")
    jmp(y_dec, "hold")[31]
    jmp(not_osre, "frame")
    wrap()


class Lights:
    """Red, yellow and green on three consecutive pins; `red` (machine.Pin) is the first."""

    def __init__(self, machine_id, red):
        self._sm = StateMachine(machine_id, light_frames, freq=_FRAME_CLOCK_HZ, out_base=red)
        self._shown = 0
        _repeat(self._sm, 0)

    def show(self, priority, muted=False, infusing=False):
        """Show `priority` 0 .. 3, and green if `infusing`, at once. `muted` is ignored: lights are never muted."""
        frames = _FRAMES[priority] | (_GREEN if infusing else 0)
        if frames != self._shown:
            self._shown = frames
            _repeat(self._sm, frames)


# --- sound: a word is 32 slots, lowest bit first; a slot with bit 1 sounds in its first half. The clock sets length and
# pitch of a slot: the higher the priority, the shorter and higher. Half a slot is 2048 cycles, 64 periods of the tone.

_BURST_HIGH = const(0b00000000_00000000_00_11_0_111_00_11_0_111)  # 3 2 . 3 2, then rest
_BURST_MEDIUM = const(0b111)
_BURST_LOW = const(0b1)
_BURSTS = [0, _BURST_LOW, _BURST_MEDIUM, _BURST_HIGH]
_CLOCKS_HZ = [10_240, 8_533, 10_240, 17_067]  # -, 240 ms at 267 Hz, 200 ms at 320 Hz, 120 ms at 533 Hz


@asm_pio(out_init=PIO.OUT_LOW, set_init=PIO.OUT_LOW, out_shiftdir=PIO.SHIFT_RIGHT)
def tone_bursts():
    wrap_target()
    mov(osr, x)
    label("slot")
    out(isr, 1)
    set(y, 31)
    label("tone")  # 2 periods of 32 cycles, a quarter high: even and odd harmonics
    mov(pins, isr)[7]
    set(pins, 0)[23]
    mov(pins, isr)[7]
    set(pins, 0)[22]
    jmp(y_dec, "tone")
    set(y, 31)
    label("rest")
    nop()[31]
    jmp(y_dec, "rest")[31]
    jmp(not_osre, "slot")
    wrap()


class Sound:
    """Alarm sound on the pin `piezo` (machine.Pin)."""

    def __init__(self, machine_id, piezo):
        self._piezo = piezo
        self._sm = StateMachine(machine_id)
        self._sounding = -1
        self.show(NONE)

    def show(self, priority, muted=False):
        """Sound `priority` 0 .. 3, or nothing if `muted`, at once. An unchanged sound continues without a restart."""
        sounding = NONE if muted else priority
        if sounding == self._sounding:
            return
        self._sounding = sounding
        sm = self._sm  # `init` stops it, sets the pin low and empties the FIFO
        sm.init(tone_bursts, freq=_CLOCKS_HZ[sounding], out_base=self._piezo, set_base=self._piezo)
        if sounding != NONE:
            _repeat(sm, _BURSTS[sounding])
