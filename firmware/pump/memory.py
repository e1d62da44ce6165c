"""What the pump must remember across a power cut besides its counters: one block of named integers in FRAM.

Names may only be added at the end: an image that is flashed over an older one reads what that has left, and the other
way round.
"""

from pump import journal
from pump.ledger import ACCOUNTS

_ACCOUNTS = ("basal", "pca", "clinician", "prime", "excess", "credit")

NAMES = (
    "mono_s", "mono_ms", "boot", "sequence",
    "rx_slot", "rx_bytes", "rx_crc",
    "started", "primed", "needs_rx",
    "bolus_first", "bolus_count", "rate_first", "rate_count",
    "pca_end_s", "pca_end_ms", "any_end_s", "any_end_ms",
    "pca_until_s", "pca_until_ms", "any_until_s", "any_until_ms",
    "lockout_s", "pca_running_ng", "clinician_running_ng",
    "pl_step", "concentration_ug_per_ml", "fill_nl", "fill_mark_nl",
    "clock_offset", "alarms", "pca_mark", "clinician_mark", "converted_s",
) + tuple(
    what + "_" + account for what in ("base", "nl", "ng") for account in _ACCOUNTS
) + (
    "access_failures", "access_closed_until_s", "people_number", "library_number",
)  # fmt: skip

CLOCK_ZERO = 1 << 40  # the clock offset is signed, the block is not

assert len(_ACCOUNTS) == ACCOUNTS


def state_journal(nv):
    """The journal of this block in its place in FRAM."""
    return journal.BlockJournal(nv, journal.STATE_BASE, 0x280, NAMES)


def ledger_values(ledger):
    """The part of the ledger that changes rarely."""
    values = {"pl_step": ledger.pl_step, "concentration_ug_per_ml": ledger.concentration_ug_per_ml}
    for k, account in enumerate(_ACCOUNTS):
        values["base_" + account] = ledger.base[k]
        values["nl_" + account] = ledger.folded_nl[k]
        values["ng_" + account] = ledger.folded_ng[k]
    return values


def restore_ledger(ledger, values, usteps):
    """Puts the ledger back: `usteps` are the counters of the pulse journal."""
    ledger.pl_step = values["pl_step"]
    ledger.concentration_ug_per_ml = values["concentration_ug_per_ml"]
    for k, account in enumerate(_ACCOUNTS):
        ledger.usteps[k] = usteps[k]
        ledger.base[k] = values["base_" + account]
        ledger.folded_nl[k] = values["nl_" + account]
        ledger.folded_ng[k] = values["ng_" + account]


def is_blank(nv):
    """True for FRAM that was never written: both journals are all zeros, or all ones."""
    buf = bytearray(64)
    for base in (journal.PULSE_BASE, journal.PULSE_BASE + 64, journal.STATE_BASE, journal.STATE_BASE + 0x280):
        nv.read_into(base, buf)
        if buf != bytes(64) and buf != b"\xff" * 64:
            return False
    return True
