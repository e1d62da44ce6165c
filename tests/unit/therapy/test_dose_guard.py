"""Every dose variable is guarded: a flip of any of its bits is found before the next wake-up changes anything."""

import sys
from pathlib import Path

import pytest
from pump.base.dose_guard import DoseGuard
from support.therapy.example_therapy import LIMITED_RX, UNLIMITED_RX, infusing_rig

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "firmware" / "unix"))
import flip_port  # noqa: E402

# Integers of the owners that are no dose variables: made from guarded ones at each use, or not used for a dose.
NOT_GUARDED = {
    "motion.last_made", "motion.encoder_raw",                            # read where a grant ends, in the same wake-up
    "schedule.made", "schedule.first_us", "schedule.period_us", "schedule.last_us",  # made by `plan`, used by it
    "schedule.first_due_us", "schedule.last_due_us",
    "schedule.running",                                                  # made from `left` and `held`
    "pca.kind", "pca.stream", "clinician.kind", "clinician.stream",      # never changed
    "pca.request", "clinician.request",                                  # for the records
    "priming.usteps",                                                    # for the record of priming
    "therapy.boot", "therapy.rx_crc", "therapy.pressure_pa", "therapy.pressure_reads",  # checked or read anew
    "boluses.base", "boluses.size", "rates.base", "rates.size",          # never changed
    "rx.rx_hash", "rx.flow_stated_nl_per_h", "rx.equiv_prev_ug_per_day", "rx.is_overridden",  # used when loaded
    "limits.factor", "limits.kept_windows", "limits.kept_counts",        # used when loaded; the copies
    "fluids.after",                                                      # for the time that is told to people
    "loop.pump",
}  # fmt: skip


class StandIn:
    """In place of the main loop."""

    def __init__(self, pump):
        self.pump = pump
        self._ticks, self._due = 123_456, 125_000  # which the loop itself guards: see `test_memory_faults`


def in_basal():
    return infusing_rig(UNLIMITED_RX)


def in_a_bolus():
    rig = infusing_rig(LIMITED_RX)
    rig.press()
    rig.run(20_000)
    return rig


def in_a_suspended_bolus():
    rig = infusing_rig(UNLIMITED_RX)
    assert rig.clinician_bolus(100, 3600) is None
    rig.run(60_000)
    rig.press()
    rig.run(10_000)
    return rig


def in_lockout():
    rig = in_a_bolus()
    rig.run(10 * 60_000)
    return rig


def stopped():
    rig = in_lockout()
    rig.key("stop")
    return rig


@pytest.mark.parametrize("state", [in_basal, in_a_bolus, in_a_suspended_bolus, in_lockout, stopped])
def test_every_bit_of_every_dose_variable_is_seen(state):
    """WDG-06, WDG-07: exhaustive. Each listed variable, each bit of it, in each of the states in which doses differ."""
    pump = state().pump
    loop = StandIn(pump)
    pump.guard.seal(True)
    port = flip_port.FlipPort()
    port._loop = loop
    unseen = []
    for name, bits in flip_port.names():
        if name.startswith("loop."):
            continue
        for bit in range(bits):
            port.flip(name, bit)
            if pump.guard.is_whole(True):
                unseen.append(name)
            port.flip(name, bit)
            assert pump.guard.is_whole(True), name
    unused = {}  # between two boluses
    for part, bolus in (("pca", pump.therapy.pca), ("clinician", pump.therapy.clinician)):
        unused[part] = not bolus.active
        unused[part + ".suspended"] = bolus.suspended is None
    assert [n for n in unseen if not (unused.get(n.split(".")[0]) or unused.get(n.rsplit(".", 1)[0]))] == []
    assert "pca.active" not in unseen and "clinician.active" not in unseen


def test_every_integer_of_an_owner_is_listed():
    """WDG-06: a field that is added to an owner of dose variables is guarded and listed, or said not to be one."""
    pump = in_a_suspended_bolus().pump
    loop = StandIn(pump)
    listed = {".".join(name.split(".")[:2]) for name, _ in flip_port.names()}
    found = set()
    for part, owner_of in flip_port._PARTS.items():
        for field, value in vars(owner_of(loop)).items():
            if _holds_ints(value):
                found.add(f"{part}.{field.lstrip('_')}")
    assert found - listed == NOT_GUARDED & found
    assert listed <= found


def _holds_ints(value):
    if isinstance(value, (list, tuple)):
        return bool(value) and all(map(_holds_ints, value))
    return isinstance(value, int)


def test_what_the_guard_looks_at_and_when():
    """WDG-06: nothing is wrong before the first seal, and sealing the quick ones hides no change of a steady one."""
    values = {"quick": 5, "steady": 6, "other": 7}
    words = {name: lambda name=name: values[name] for name in values}
    quick, steady = [1, 2, 3], [4, 5, 6, 7, 8, 1 << 40]
    guard = DoseGuard((quick,), (words["quick"],), (steady,), ((words["steady"],), (words["other"],)))
    values["steady"] = 9
    assert guard.is_whole(True)
    guard.seal(False)  # the first time: all of them
    assert guard.is_whole(True)
    values["steady"] ^= 1 << 29
    assert not guard.is_whole(True)
    guard.seal(False)
    assert [guard.is_whole(False), guard.is_whole(False)].count(False) == 1  # half of them at a time
    guard.seal(True)
    assert guard.is_whole(True)
    values["quick"] = 0
    assert not guard.is_whole(False)
    guard.seal(False)
    for numbers in (quick, steady):
        for k in range(len(numbers)):
            numbers[k] ^= 1 << 20
            assert not guard.is_whole(False)
            numbers[k] ^= 1 << 20
    quick[0] += 1
    guard.seal(False)
    assert guard.is_whole(True)
    steady[5] += 1
    guard.seal(False)
    assert not guard.is_whole(False)
