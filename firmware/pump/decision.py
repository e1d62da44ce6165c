"""May a bolus start, by everything that can refuse it, and when could the next one? [DEL-09, LIM-11]

The reasons are looked for in the order in which `limits` numbers them.
"""

from pump import limits
from pump.clock import add, before, later


class Standing:
    """What a decision rests on, gathered by the pump at the instant of the request.

    held, alarmed, infusing, log_failed: booleans. pca, clinician: `Bolus` objects. `lockouts`, `windows`: of
    `limits`. lockout_s: of the prescription.
    """

    def __init__(self, pca, clinician, lockouts):
        self.pca, self.clinician, self.lockouts = pca, clinician, lockouts
        self.held = self.alarmed = self.infusing = self.log_failed = False
        self.windows = None
        self.lockout_s = 0


def refusal(standing, is_pca, mass_ng, at, fits_reservoir):
    """The first reason why a bolus of `mass_ng`, asked for at the instant `at`, may not start, or ACCEPTED.

    A faulty pendant gives no press at all, so it is no reason here.
    """
    if standing.held:
        return limits.HOLD
    if standing.alarmed:
        return limits.ALARM
    if not standing.infusing:
        return limits.NOT_INFUSING
    if is_pca and mass_ng == 0:
        return limits.NO_PCA
    if standing.log_failed:
        return limits.LOG_FAILED
    if _running(standing, is_pca, at):
        return limits.RUNNING
    until = standing.lockouts.pca_until if is_pca and standing.clinician.active else _any_until(standing)
    if before(at[0], at[1], until[0], until[1]):
        return limits.LOCKOUT
    reason = standing.windows.refusal(mass_ng, at[0], at[1], _pending(standing), is_pca)
    if reason != limits.ACCEPTED:
        return reason
    return limits.ACCEPTED if fits_reservoir else limits.RESERVOIR


def has_next_time(reason):
    """Whether the pump can name the next time after a refusal for `reason` (or an end, ACCEPTED)."""
    return reason == limits.ACCEPTED or limits.RUNNING <= reason <= limits.LIMIT_24H


def next_possible(standing, is_pca, mass_ng, now):
    """The earliest instant from `now` at which such a bolus would be accepted, nothing else happening, or NEVER."""
    lockouts, windows, wait_s = standing.lockouts, standing.windows, standing.lockout_s
    pca, clinician = standing.pca, standing.clinician
    pending = _pending(standing)
    pca_until, any_until = lockouts.pca_until, _any_until(standing)
    if pca.active:
        pca_until = later(pca_until, add(pca.end[0], pca.end[1], wait_s))
        any_until = later(any_until, pca_until)
    if clinician.active:
        clinician_end = _clinician_end(standing)
        if is_pca:  # a PCA bolus may suspend the clinician's
            start = later(now, pca_until)
            during = windows.earliest(mass_ng, start[0], start[1], pending, is_pca)
            if during is not limits.NEVER and before(during[0], during[1], clinician_end[0], clinician_end[1]):
                return during
        any_until = later(any_until, add(clinician_end[0], clinician_end[1], wait_s))
    start = later(now, any_until)
    return windows.earliest(mass_ng, start[0], start[1], pending, is_pca)


def _running(standing, is_pca, at):
    """A bolus runs, or ran still when the finger came down."""
    ended = standing.lockouts.pca_end
    if standing.pca.active or before(at[0], at[1], ended[0], ended[1]):
        return True
    return standing.clinician.active and not is_pca


def _any_until(standing):
    return later(standing.lockouts.pca_until, standing.lockouts.any_until)


def _clinician_end(standing):
    return standing.clinician.end_if_resumed(standing.pca.end)


def _pending(standing):
    found = []
    if standing.pca.active:
        found.append(standing.pca.pending(standing.pca.end))
    if standing.clinician.active:
        found.append(standing.clinician.pending(_clinician_end(standing)))
    return found
