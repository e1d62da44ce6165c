"""Power-up: what the journals say of the time before, taken at its worst [RPL-01..06, H27, H30].

A bolus that ran is booked whole and starts a full lockout; a grant that was in flight is booked whole. Time without
power counts only if the real-time clock proves it. If the journals cannot be read, every window counts as full: no
bolus for 24 h.
"""

from binascii import crc32

from pump import journal, memory, prescription
from pump.clock import add, before
from pump.history import Corrupt
from pump.intake import RX_SLOT_BYTES
from pump.ledger import ACCOUNTS, EXCESS
from pump.refusal import Refused
from pump.units import DAY_S, USTEPS_PER_REV, const, volume_nl_of_usteps

RTC_AGREES_S = const(2)  # and 100 ppm between the two crystals
RTC_BACKWARD_S = const(2)  # the clock may seem to step back this much by rounding
ENCODER_MARGIN_USTEPS = const(20)  # twice the sensor's non-linearity of 1 degree [AS5600 data sheet]
NEXT_PULSE_MS = const(500)  # the next pulse is written this soon after a grant, with the busiest wake-up between


class Report:
    """What power-up found. `was` is the state at the cut (0: none, a new pump)."""

    def __init__(self):
        self.was = 0
        self.time_proven = False
        self.off_s = 0
        self.journal_ok = True
        self.encoder_raw = 0
        self.steps_in_flight = 0
        self.alarms = 0
        self.cut_boluses = []  # (Bolus, usteps booked, nL, prescribed ng, when it was cut)


def restore(core, rtc_s, rtc_proven):
    """Brings `core` back from FRAM. `rtc_s`: Unix seconds of the RTC; `rtc_proven`: it never lost its supply."""
    report = Report()
    values = core.memory.restore()
    pulse_found = core.pulse.restore()
    if values is None and not pulse_found and memory.is_blank(core.nv):
        core.boot = 1
        remember_rtc(core, rtc_s if rtc_proven else 0)
        core.diary.boot = core.boot
        return report
    report.journal_ok = values is not None and pulse_found
    cut = _restore_time(core, values, pulse_found, rtc_s, rtc_proven, report)
    if values is not None:
        _restore_state(core, values, report)
    if pulse_found:
        report.was = core.pulse.words[journal.PHASE] & 0xF
        packed = core.pulse.words[journal.ENCODER]
        report.encoder_raw, report.steps_in_flight = packed & 0xFFF, packed >> 12
    if values is not None and pulse_found:
        counters = core.pulse.words[journal.COUNTERS : journal.COUNTERS + ACCOUNTS]
        memory.restore_ledger(core.ledger, values, counters)
        core.reservoir.fill_nl, core.reservoir.mark_nl = values["fill_nl"], values["fill_mark_nl"]
        report.journal_ok = _restore_history(core, values, cut, report)
    if not report.journal_ok:
        _block_a_day(core)
    core.boot += 1
    core.diary.boot = core.boot
    remember_rtc(core, rtc_s if rtc_proven else 0)
    return report


def _restore_time(core, values, pulse_found, rtc_s, rtc_proven, report):
    """Sets the clock; returns the latest instant at which power can have failed."""
    words = core.pulse.words
    last = (0, 0)
    if values is not None:
        last = (values["mono_s"], values["mono_ms"])
    if pulse_found and before(last[0], last[1], words[journal.MONO_S], words[journal.MONO_MS]):
        last = (words[journal.MONO_S], words[journal.MONO_MS])
    core.clock.s, core.clock.ms = last
    if not (pulse_found and rtc_proven and words[journal.RTC_S]):
        return last
    # A second is lost to rounding: a lockout may grow by it, never shrink.
    by_rtc_s = words[journal.RTC_MONO_S] + (rtc_s - journal.RTC_EPOCH_S) - words[journal.RTC_S] - 1
    if by_rtc_s < last[0] - RTC_BACKWARD_S:
        return last
    report.time_proven = True
    if by_rtc_s > last[0]:
        core.clock.s, core.clock.ms = by_rtc_s, 0
        report.off_s = by_rtc_s - last[0]
    in_flight_ms = words[journal.PHASE] >> 4
    cut = add(last[0], last[1], 0, in_flight_ms + NEXT_PULSE_MS)
    return cut if before(cut[0], cut[1], core.clock.s, core.clock.ms) else core.now


def remember_rtc(core, rtc_s):
    """Ties the RTC to the monotonic clock, in the words of the next pulse. 0: no proven time to tie it to."""
    words = core.pulse.words
    words[journal.RTC_S] = max(0, rtc_s - journal.RTC_EPOCH_S)
    words[journal.RTC_MONO_S] = core.clock.s


def rtc_agrees(core, rtc_s):
    """Whether the RTC has gone on as the monotonic clock has since they were tied together [TIM-04].

    One that was set, or that reads wrong, is no proof of anything. With nothing to compare it is believed.
    """
    words = core.pulse.words
    if not words[journal.RTC_S]:
        return True
    gone_s = core.clock.s - words[journal.RTC_MONO_S]
    off_s = rtc_s - journal.RTC_EPOCH_S - words[journal.RTC_S] - gone_s
    return -RTC_AGREES_S <= off_s <= RTC_AGREES_S + gone_s // 10_000


def _restore_state(core, values, report):
    core.boot, core.sequence = values["boot"], values["sequence"]
    core.started, core.primed = bool(values["started"]), bool(values["primed"])
    core.rx_slot, core.rx_crc = values["rx_slot"] & 1, values["rx_crc"]
    core.converted_s = values["converted_s"]
    core.access_failures, core.access_closed_until_s = values["access_failures"], values["access_closed_until_s"]
    core.people_number, core.library_number = values["people_number"], values["library_number"]
    core.clock_offset_s = values["clock_offset"] - memory.CLOCK_ZERO
    report.alarms = values["alarms"]
    lock = core.lockouts
    lock.pca_end = (values["pca_end_s"], values["pca_end_ms"])
    lock.any_end = (values["any_end_s"], values["any_end_ms"])
    lock.pca_until = (values["pca_until_s"], values["pca_until_ms"])
    lock.any_until = (values["any_until_s"], values["any_until_ms"])
    _restore_prescription(core, values, report)


def _restore_prescription(core, values, report):
    """The last prescription, for display, limits and comparison; it leads to no motion [RX-08]."""
    if values["rx_bytes"] == 0:
        return
    document = bytearray(min(values["rx_bytes"], RX_SLOT_BYTES))
    core.nv.read_into(journal.RX_BASE + core.rx_slot * RX_SLOT_BYTES, document)
    try:
        if crc32(document) != values["rx_crc"]:
            raise Refused("rx_damaged", {"key": "prescription", "do": "load it again"})
        core.rx = prescription.parse(bytes(document))
        core.diary.rx_hash = core.rx.rx_hash
    except Refused:
        report.journal_ok = False


def _restore_history(core, values, cut, report):
    """Rings, and the boluses that the cut ended. False when an entry is damaged or what is left is in doubt."""
    ok = report.journal_ok
    history = core.history
    try:
        history.boluses.restore(values["bolus_first"], values["bolus_count"])
        history.rates.restore(values["rate_first"], values["rate_count"])
    except Corrupt:
        history.boluses.forget()
        history.rates.forget()
        ok = False
    lockout_s = values["lockout_s"]
    for run, name in ((core.pca, "pca"), (core.clinician, "clinician")):
        mass_ng = values[name + "_running_ng"]
        if mass_ng:
            history.bolus_ended(cut[0], cut[1], run.kind, mass_ng)
            core.lockouts.bolus_ended(cut[0], cut[1], run is core.pca, lockout_s)
            usteps = core.ledger.usteps[run.stream] - values[name + "_mark"]
            nl = volume_nl_of_usteps(usteps, core.ledger.pl_step)
            report.cut_boluses.append((run, usteps, nl, mass_ng, cut))
    if not report.time_proven and core.lockouts.any_end != (0, 0):
        core.lockouts.bolus_ended(core.clock.s, core.clock.ms, True, lockout_s)  # as if one had just ended
    return ok


def _block_a_day(core):
    s, ms = core.now
    core.lockouts.block_until(s + DAY_S, ms)


def boot_jump_usteps(report, encoder_raw):
    """Microsteps that the rotor jumped forward when the driver was powered anew, beyond the grant in flight; or 0.

    The driver forgets its microstep when its supply fails, and pulls the rotor to the nearest whole electrical
    turn: up to two full steps either way [TMC2209 data sheet, power-up].
    """
    counts = (encoder_raw - report.encoder_raw) & 0xFFF
    if counts >= 0x800:
        counts -= 0x1000
    moved = counts * USTEPS_PER_REV // 4096
    excess = moved - report.steps_in_flight
    return excess + ENCODER_MARGIN_USTEPS // 2 if excess > ENCODER_MARGIN_USTEPS // 2 else 0


def book_jump(core, usteps):
    """Books a forward jump as given."""
    if usteps:
        core.ledger.book(EXCESS, usteps)
        core.motion.write_pulse(core.clock.s, core.clock.ms)
