"""The bolus decision: every reason to refuse, alone and combined."""

from pump.dosing import bolus_decision, limits
from pump.dosing.bolus import Bolus
from pump.dosing.dose_history import CLINICIAN, PCA

NOW = (10_000, 0)


class Windows:
    """Limits that give set answers."""

    def __init__(self):
        self.reason = limits.ACCEPTED

    def refusal(self, mass_ng, s, ms, pending, counted):
        return self.reason


def context():
    """A pump that would give a bolus."""
    made = bolus_decision.BolusContext(Bolus(PCA, 1), Bolus(CLINICIAN, 2), limits.Lockouts())
    made.infusing = True
    made.windows = Windows()
    made.lockout_s = 1800
    return made


def reason(made, is_pca=True, mass_ng=100_000, fits=True, at=NOW):
    return bolus_decision.refusal(made, is_pca, mass_ng, at, fits)


def test_every_combination_gives_the_first_reason():
    """DEL-09, LIM-12: 2^9 of them; accepted only when nothing speaks against it."""
    order = (
        limits.HOLD, limits.ALARM, limits.NOT_INFUSING, limits.NO_PCA, limits.LOG_FAILED, limits.RUNNING,
        limits.LOCKOUT, limits.LIMIT_4H, limits.RESERVOIR,
    )  # fmt: skip
    for bits in range(1 << len(order)):
        against = [bits >> k & 1 for k in range(len(order))]
        made = context()
        made.held, made.alarmed, made.log_failed = against[0], against[1], against[4]
        made.infusing = not against[2]
        if against[5]:
            made.pca.begin((9_990, 0), (9_990, 0), 100, 100_000, 120_000, 0)
        if against[6]:
            made.lockouts.block_until(NOW[0] + 1, 0)
        made.windows.reason = limits.LIMIT_4H if against[7] else limits.ACCEPTED
        found = reason(made, mass_ng=0 if against[3] else 100_000, fits=not against[8])
        expected = [order[k] for k in range(len(order)) if against[k]]
        assert found == (expected[0] if expected else limits.ACCEPTED), against


def test_no_patient_bolus_is_prescribed():
    """DEL-09: a press for nothing is refused as that, and not for a lockout that runs."""
    made = context()
    made.lockouts.block_until(NOW[0] + 1, 0)
    assert reason(made, mass_ng=0) == limits.NO_PCA


def test_a_second_bolus_while_one_runs():
    """DEL-08, DEL-20: a press may go before a clinician's bolus, never into a patient's; an order into neither."""
    made = context()
    made.clinician.begin((9_990, 0), (9_990, 0), 100, 100_000, 600_000, 0)
    assert reason(made, is_pca=True) == limits.ACCEPTED
    assert reason(made, is_pca=False) == limits.RUNNING
    made = context()
    made.pca.begin((9_990, 0), (9_990, 0), 100, 100_000, 120_000, 0)
    assert reason(made, is_pca=True) == reason(made, is_pca=False) == limits.RUNNING


def test_a_lockout_ends_to_the_millisecond():
    """LIM-01, LIM-26: from the end of the bolus, whole or interrupted; not one millisecond before."""
    made = context()
    made.lockouts.bolus_ended(8_000, 250, True, 2_000)
    assert reason(made, at=(9_999, 999)) == limits.LOCKOUT
    assert reason(made, at=(10_000, 249)) == limits.LOCKOUT
    assert reason(made, at=(10_000, 250)) == limits.ACCEPTED
    assert reason(made, at=(8_000, 100)) == limits.RUNNING  # the press began while it still ran


def test_of_two_lockouts_the_longer_holds():
    """LIM-27: a new, shorter lockout does not shorten one that runs; a longer one counts from the same end."""
    for first_s, second_s in ((2_000, 60), (60, 2_000)):
        made = context()
        made.lockouts.bolus_ended(8_000, 0, True, first_s)
        made.lockouts.change_length(second_s)
        assert reason(made, at=(9_999, 999)) == limits.LOCKOUT
        assert reason(made, at=(10_000, 0)) == limits.ACCEPTED


def test_which_reasons_name_a_next_time():
    """LIM-11: those that time alone takes away."""
    timed = [k for k in range(len(limits.REASONS)) if bolus_decision.has_next_time(k)]
    assert [limits.REASONS[k] for k in timed] == [
        None, "running", "lockout", "count_1h", "count_24h", "limit_1h", "limit_4h", "limit_24h", "bridge",
    ]  # fmt: skip
