"""Restores the therapy from the journals in FRAM; in doubt it takes the worst case [RPL-01..06, H27, H30].

A bolus that ran is booked whole and starts a full lockout; a grant that was in flight is booked whole. Time without
power counts only if the real-time clock proves it, else lockouts and windows run on from the cut.
If the journals cannot be read, every window counts as full: no bolus for 24 h.
"""

from binascii import crc32

from pump import saved_state
from pump.base.clock import add, before
from pump.base.refusal import Refused
from pump.base.units import DAY_S, USTEPS_PER_REV, const, volume_nl_of_usteps
from pump.delivery.fluids import drug_number
from pump.delivery.ledger import ACCOUNTS, EXCESS
from pump.dosing.dose_history import Corrupt
from pump.prescribing import prescription
from pump.storage import journal, records

RTC_AGREES_S = const(2)  # and 100 ppm between the two crystals
RTC_BACKWARD_S = const(2)  # the RTC may lie this far behind, by rounding
RTC_JUMP_S = const(60)  # an RTC that moves further from the monotonic clock is wrong [ALM-23]
SIGNED_AGREES_S = const(120)  # of a clinician's signed time and the RTC
MOST_OFF_S = const(4 * 3_600 + 60)  # time off that an RTC alone proves; the last pulse is up to 60 s before the cut
OLDEST_RTC_S = journal.RTC_EPOCH_S  # 2020-01-01 [clock_range]
NEWEST_RTC_S = 4_102_444_800  # 2100-01-01
_RTC_MASK = const(0x3FFFFFFF)  # an RTC's time as a word of the pulse, which stays below 2^30
ENCODER_MARGIN_USTEPS = const(20)  # twice the sensor's non-linearity of 1 degree [AS5600 data sheet]
NEXT_PULSE_MS = const(500)  # from the end of a grant to the next pulse, with the longest wake-up between


class Report:
    """What power-up found. was: the state at the power cut, 0 for a new pump. Times in s; steps in microsteps."""

    def __init__(self):
        self.was = 0
        self.time_proven = False
        self.off_s = 0
        self.told_cut = (0, 0)
        self.unproven_off_s = 0  # more than an RTC proves: counts once a clinician's signed time agrees
        self.journal_ok = True
        self.encoder_raw = 0
        self.steps_in_flight = 0
        self.alarms = 0
        self.cut_boluses = []  # (Bolus, usteps booked, nL, prescribed ng, instant of the cut)

    def take_unproven_off_s(self):
        """Once the time off that was not proven at power-up, in s."""
        off_s, self.unproven_off_s = self.unproven_off_s, 0
        return off_s


def restore(therapy, rtc_s, rtc_proven):
    """Restores `therapy` from FRAM. `rtc_s`: Unix seconds of the RTC; `rtc_proven`: `rtc_is_valid`."""
    report = Report()
    values = therapy.memory.restore()
    pulse_found = therapy.pulse.restore()
    if values is None and not pulse_found and saved_state.is_blank(therapy.nv):
        therapy.begin_boot(1)
        remember_rtc(therapy, rtc_s if rtc_proven else 0)
        return report
    report.journal_ok = values is not None and pulse_found
    cut = _restore_time(therapy, values, pulse_found, rtc_s, rtc_proven, report)
    if values is not None:
        _restore_state(therapy, values, report)
    if pulse_found:
        report.was = therapy.pulse.words[journal.PHASE] & 0xF
        packed = therapy.pulse.words[journal.ENCODER]
        report.encoder_raw, report.steps_in_flight = packed & 0xFFF, packed >> 12
    if values is not None and pulse_found:
        counters = therapy.pulse.words[journal.COUNTERS : journal.COUNTERS + ACCOUNTS]
        saved_state.restore_ledger(therapy.ledger, values, counters)
        therapy.reservoir.restore(values["fill_nl"], values["fill_mark_nl"])
        _restore_fluids(therapy, values)
        report.journal_ok = _restore_history(therapy, values, cut, report)
    if not report.journal_ok:
        _block_a_day(therapy)
    therapy.begin_boot(therapy.boot + 1)
    remember_rtc(therapy, rtc_s if rtc_proven else 0)
    return report


def _restore_time(therapy, values, pulse_found, rtc_s, rtc_proven, report):
    """Sets the clock; returns the instant from which a bolus that was cut counts, never after the clock.

    `report.told_cut`: the latest instant at which power can have failed, for people.
    """
    words = therapy.pulse.words
    last = (0, 0)
    if values is not None:
        last = (values["mono_s"], values["mono_ms"])
    if pulse_found and before(last[0], last[1], words[journal.MONO_S], words[journal.MONO_MS]):
        last = (words[journal.MONO_S], words[journal.MONO_MS])
    therapy.clock.restore(last[0], last[1])
    in_flight_ms = words[journal.PHASE] >> 4 if pulse_found else 0
    report.told_cut = cut = add(last[0], last[1], 0, in_flight_ms + NEXT_PULSE_MS)
    if not (pulse_found and rtc_proven and words[journal.RTC_S]):
        return last
    # A second is lost to rounding: a lockout may grow by it, never shrink.
    by_rtc_s = words[journal.RTC_MONO_S] + _rtc_gone_s(rtc_s, words[journal.RTC_S]) - 1
    if by_rtc_s < last[0] - RTC_BACKWARD_S:
        return last
    if by_rtc_s - last[0] > MOST_OFF_S:
        report.unproven_off_s = by_rtc_s - last[0]
        return last
    report.time_proven = True
    if by_rtc_s > last[0]:
        therapy.clock.restore(by_rtc_s, 0)
        report.off_s = by_rtc_s - last[0]
    if not before(cut[0], cut[1], therapy.clock.s, therapy.clock.ms):
        report.told_cut = therapy.now
    return report.told_cut


def remember_rtc(therapy, rtc_s):
    """Stores the RTC with the monotonic time, for the next pulse. 0: the RTC has no proven time."""
    words = therapy.pulse.words
    words[journal.RTC_S] = ((rtc_s - journal.RTC_EPOCH_S) & _RTC_MASK or 1) if rtc_s else 0
    words[journal.RTC_MONO_S] = therapy.clock.s


def rtc_agrees(therapy, rtc_s):
    """Whether the RTC has advanced as the monotonic clock has since `remember_rtc` [TIM-04].

    An RTC that was set, or reads wrong, proves nothing. Without a stored pair the RTC is taken as right.
    """
    if not therapy.pulse.words[journal.RTC_S]:
        return True
    gone_s = therapy.clock.s - therapy.pulse.words[journal.RTC_MONO_S]
    tolerance_s = RTC_AGREES_S + gone_s // 10_000
    return -tolerance_s <= rtc_drift_s(therapy, rtc_s) <= tolerance_s


def rtc_drift_s(therapy, rtc_s):
    """Seconds by which the RTC has advanced more than the monotonic clock since `remember_rtc`; 0 without a pair."""
    words = therapy.pulse.words
    if not words[journal.RTC_S]:
        return 0
    return _rtc_gone_s(rtc_s, words[journal.RTC_S]) - (therapy.clock.s - words[journal.RTC_MONO_S])


def count_time_off(therapy, off_s):
    """Time without power counts after all: the monotonic time leaps by `off_s`. Nothing may move.

    From here on records have the next boot number: within one number the monotonic time runs evenly.
    """
    rtc_s = therapy.wall_clock.rtc_s()
    therapy.clock.restore(therapy.clock.s + off_s, therapy.clock.ms)
    therapy.begin_boot(therapy.boot + 1)
    therapy.wall_clock.rtc_read(rtc_s)
    remember_rtc(therapy, rtc_s)
    therapy.event_log.note(records.TIME_COUNTED, (off_s,))
    therapy.save_all()


def _rtc_gone_s(rtc_s, word):
    """Seconds from the RTC's time in `word` of a pulse to `rtc_s`, within 17 years either way."""
    gone_s = (rtc_s - journal.RTC_EPOCH_S - word) & _RTC_MASK
    return gone_s - _RTC_MASK - 1 if gone_s > _RTC_MASK >> 1 else gone_s


def rtc_is_valid(rtc_s, kept):
    """Whether a reading of the RTC can be a time at all. `kept`: its supply and battery never failed together."""
    return kept and OLDEST_RTC_S <= rtc_s <= NEWEST_RTC_S


def _restore_state(therapy, values, report):
    """Everything but the account, the time and the history: those need the pulse journal, too."""
    therapy.restore(values)
    therapy.log_on_attempts.restore(values["access_failures"], values["access_closed_until_s"])
    therapy.document_numbers.restore(values["people_number"], values["library_number"])
    therapy.wall_clock.restore(values["clock_offset"] - saved_state.CLOCK_ZERO)
    therapy.lockouts.restore(
        (values["pca_end_s"], values["pca_end_ms"]), (values["any_end_s"], values["any_end_ms"]),
        (values["pca_until_s"], values["pca_until_ms"]), (values["any_until_s"], values["any_until_ms"]),
    )  # fmt: skip
    therapy.repeat_stops.restore((values["stop_1_s"], values["stop_1_ms"]), (values["stop_2_s"], values["stop_2_ms"]))
    report.alarms = values["alarms"]
    _restore_prescription(therapy, values, report)


def _restore_prescription(therapy, values, report):
    if values["rx_bytes"] == 0:
        return
    document = bytearray(min(values["rx_bytes"], journal.RX_SLOT_BYTES))
    therapy.nv.read_into(journal.RX_BASE + therapy.rx_slot * journal.RX_SLOT_BYTES, document)
    try:
        if crc32(document) != values["rx_crc"]:
            raise Refused("rx_damaged", {"key": "prescription", "do": "load it again"})
        therapy.restore_prescription(prescription.parse(bytes(document)))
    except Refused:
        report.journal_ok = False


def _restore_fluids(therapy, values):
    """What is in the syringe. An image that did not name it took the prescribed fluid as the one in the holder."""
    drug, ug_per_ml = values["syringe_drug"], values["syringe_ug_per_ml"]
    if drug == 0 and therapy.rx:
        drug, ug_per_ml = drug_number(therapy.rx.drug), therapy.ledger.concentration_ug_per_ml
    therapy.fluids.restore(drug, ug_per_ml, bool(values["syringe_unnamed"]))
    equivalence = (values["equivalence"] >> 32, values["equivalence"] & 0xFFFFFFFF)
    therapy.fluids.restore_line(
        values["line_drug"], values["line_ug_per_ml"], values["line_basal_ug_per_day"],
        equivalence if equivalence[1] else (1, 1), values["front_mark"],
    )  # fmt: skip


def _restore_history(therapy, values, cut, report):
    """Restores the rings and books the boluses that the cut ended. False if an entry is damaged."""
    ok = report.journal_ok
    history = therapy.history
    try:
        history.boluses.restore(values["bolus_first"], values["bolus_count"])
        history.rates.restore(values["rate_first"], values["rate_count"])
    except Corrupt:
        history.boluses.forget()
        history.rates.forget()
        ok = False
    lockout_s = values["lockout_s"]
    for run, name in ((therapy.pca, "pca"), (therapy.clinician, "clinician")):
        mass_ng = values[name + "_running_ng"]
        if mass_ng:
            history.bolus_ended(cut[0], cut[1], run.kind, mass_ng)
            therapy.lockouts.bolus_ended(cut[0], cut[1], run is therapy.pca, lockout_s)
            usteps = therapy.ledger.usteps[run.stream] - values[name + "_mark"]
            nl = volume_nl_of_usteps(usteps, therapy.ledger.pl_step)
            report.cut_boluses.append((run, usteps, nl, mass_ng, report.told_cut))
    return ok


def _block_a_day(therapy):
    s, ms = therapy.now
    therapy.lockouts.block_until(s + DAY_S, ms)


def boot_jump_usteps(report, encoder_raw):
    """Microsteps by which the rotor jumped forward at power-on, beyond the grant in flight; 0: none.

    The driver forgets its microstep when its supply fails, and pulls the rotor to the nearest whole electrical
    turn: up to two full steps either way [TMC2209 data sheet, power-up].
    """
    counts = (encoder_raw - report.encoder_raw) & 0xFFF
    if counts >= 0x800:
        counts -= 0x1000
    moved = -(-counts * USTEPS_PER_REV // 4096)  # rounded up: a jump that shows is never booked too small
    excess = moved - report.steps_in_flight
    return excess + ENCODER_MARGIN_USTEPS // 2 if excess > ENCODER_MARGIN_USTEPS // 2 else 0


def book_jump(therapy, usteps, encoder_raw):
    """Books a forward jump of `usteps` as given; the screw stands at `encoder_raw` now.

    One pulse holds the account and the new reference, so that no later power-up finds and books the same jump again.
    """
    therapy.ledger.book(EXCESS, usteps)
    therapy.motion.note_encoder(encoder_raw)
    therapy.motion.write_pulse(therapy.clock.s, therapy.clock.ms)
