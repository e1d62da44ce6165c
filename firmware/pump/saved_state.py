"""What the pump must remember across a power cut besides its counters: one block of named integers in FRAM.

Names may only be added at the end: an image that is flashed over an older one reads what the older one wrote, and the
other way round.
"""

from pump.delivery.ledger import ACCOUNTS
from pump.storage import journal

_ACCOUNTS = ("basal", "pca", "clinician", "prime", "excess", "credit")

# All are unsigned. _s, _ms: instants of the monotonic clock.
NAMES = (
    "mono_s", "mono_ms", "boot", "sequence",                            # when this was saved; numbers
    "rx_slot", "rx_bytes", "rx_crc",                                    # prescription: slot 0 or 1, bytes, CRC-32
    "started", "primed", "needs_rx",                                    # 0 or 1
    "bolus_first", "bolus_count", "rate_first", "rate_count",           # entries of the rings
    "pca_end_s", "pca_end_ms", "any_end_s", "any_end_ms",               # ends of the last boluses
    "pca_until_s", "pca_until_ms", "any_until_s", "any_until_ms",       # ends of the lockouts
    "lockout_s", "pca_running_ng", "clinician_running_ng",              # of the prescription; 0: no bolus runs
    "pl_step", "concentration_ug_per_ml", "fill_nl", "fill_mark_nl",    # fluid and syringe
    "clock_offset", "alarms", "pca_mark", "clinician_mark", "converted_s",  # CLOCK_ZERO + s, bits, usteps, usteps, s
) + tuple(
    what + "_" + account for what in ("base", "nl", "ng") for account in _ACCOUNTS  # ledger: usteps, nL, ng
) + (
    "access_failures", "access_closed_until_s", "people_number", "library_number",
    "in_force", "stop_1_s", "stop_1_ms", "stop_2_s", "stop_2_ms",  # 0 or 1; the last two stop keys, 0: none
    "syringe_drug", "syringe_ug_per_ml", "syringe_unnamed",  # fluid in the holder; 0 or 1
    "line_drug", "line_ug_per_ml", "line_basal_ug_per_day", "equivalence", "front_mark",  # a bridge; see `values_of`
    "prime_mark_nl",                                                    # primed before the last filling began
)  # fmt: skip

CLOCK_ZERO = 1 << 40  # the offset of the wall clock is signed, the block is not

assert len(_ACCOUNTS) == ACCOUNTS


def state_journal(nv):
    """The journal of this block in its place in FRAM."""
    return journal.BlockJournal(nv, journal.STATE_BASE, 0x280, NAMES)


def values_of(therapy):
    """The values of the block, by name."""
    lock, history, rx = therapy.lockouts, therapy.history, therapy.rx
    values = {
        "mono_s": therapy.clock.s, "mono_ms": therapy.clock.ms, "boot": therapy.boot, "sequence": therapy.sequence,
        "rx_slot": therapy.rx_slot, "rx_bytes": len(rx.document) if rx else 0, "rx_crc": therapy.rx_crc,
        "started": int(therapy.started), "primed": int(therapy.primed), "needs_rx": int(therapy.needs_rx),
        "bolus_first": history.boluses.first, "bolus_count": history.boluses.count,
        "rate_first": history.rates.first, "rate_count": history.rates.count,
        "pca_end_s": lock.pca_end[0], "pca_end_ms": lock.pca_end[1],
        "any_end_s": lock.any_end[0], "any_end_ms": lock.any_end[1],
        "pca_until_s": lock.pca_until[0], "pca_until_ms": lock.pca_until[1],
        "any_until_s": lock.any_until[0], "any_until_ms": lock.any_until[1],
        "lockout_s": rx.lockout_s if rx else 0,
        "pca_running_ng": therapy.pca.mass_ng if therapy.pca.active else 0,
        "clinician_running_ng": therapy.clinician.mass_ng if therapy.clinician.active else 0,
        "fill_nl": therapy.reservoir.fill_nl, "fill_mark_nl": therapy.reservoir.mark_nl,
        "clock_offset": therapy.wall_clock.offset_s + CLOCK_ZERO, "alarms": therapy.alarms.latched_mask(),
        "pca_mark": therapy.pca.mark, "clinician_mark": therapy.clinician.mark,
        "converted_s": therapy.converted_s,
        "access_failures": therapy.log_on_attempts.failures,
        "access_closed_until_s": therapy.log_on_attempts.closed_until_s,
        "people_number": therapy.document_numbers.people, "library_number": therapy.document_numbers.library,
        "in_force": int(therapy.in_force),
        "stop_1_s": therapy.repeat_stops.earlier[0], "stop_1_ms": therapy.repeat_stops.earlier[1],
        "stop_2_s": therapy.repeat_stops.last[0], "stop_2_ms": therapy.repeat_stops.last[1],
        "syringe_drug": therapy.fluids.drug, "syringe_ug_per_ml": therapy.fluids.ug_per_ml,
        "syringe_unnamed": int(therapy.fluids.unnamed),
        "line_drug": therapy.fluids.line_drug, "line_ug_per_ml": therapy.fluids.line_ug_per_ml,
        "line_basal_ug_per_day": therapy.fluids.line_basal_ug_per_day,
        "equivalence": therapy.fluids.equivalence[0] << 32 | therapy.fluids.equivalence[1],
        "front_mark": therapy.fluids.front_mark,
        "prime_mark_nl": therapy.prime_mark_nl,
    }  # fmt: skip
    values.update(ledger_values(therapy.ledger))
    return values


def ledger_values(ledger):
    """The part of the ledger that changes rarely."""
    values = {"pl_step": ledger.pl_step, "concentration_ug_per_ml": ledger.concentration_ug_per_ml}
    for k, account in enumerate(_ACCOUNTS):
        values["base_" + account] = ledger.base[k]
        values["nl_" + account] = ledger.folded_nl[k]
        values["ng_" + account] = ledger.folded_ng[k]
    return values


def restore_ledger(ledger, values, usteps):
    """Puts the ledger back. `usteps`: the counters of the pulse journal."""
    base, nl, ng = [[values[what + account] for account in _ACCOUNTS] for what in ("base_", "nl_", "ng_")]
    ledger.restore(values["pl_step"], values["concentration_ug_per_ml"], list(usteps), base, nl, ng)


def is_blank(nv):
    """True for FRAM that was never written: both journals are all zeros, or all ones."""
    buf = bytearray(64)
    for base in (journal.PULSE_BASE, journal.PULSE_BASE + 64, journal.STATE_BASE, journal.STATE_BASE + 0x280):
        nv.read_into(base, buf)
        if buf != bytes(64) and buf != b"\xff" * 64:
            return False
    return True
