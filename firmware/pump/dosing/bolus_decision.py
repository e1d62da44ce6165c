"""Decides whether a bolus may start, and when the next one could [DEL-09, LIM-11].

The reasons are checked in the order of their numbers in `limits`. Instants are (s, ms); masses are ng.
"""

from pump.base.clock import add, before, later
from pump.dosing import limits


class BolusContext:
    """The inputs of a decision; `Boluses` sets them at the instant of each request.

    pca, clinician: the `Bolus` objects. lockouts: `limits.Lockouts`. windows: `limits.Limits` of the prescription in
    force. lockout_s: of that prescription. alarmed: an active alarm blocks boluses. infusing: basal runs. log_failed:
    records cannot be written. bridge_until: until another drug has left the line; (0, 0): there is none, NEVER: without
    basal it stays. held: the interlock of a respiratory monitor refuses every bolus with HOLD.
    """

    def __init__(self, pca, clinician, lockouts):
        self.pca, self.clinician, self.lockouts = pca, clinician, lockouts
        self.held = self.alarmed = self.infusing = self.log_failed = False
        self.windows = None
        self.lockout_s = 0
        self.bridge_until = (0, 0)

    def bridged_for(self, ms, now):
        """Another drug is in the line for `ms` of basal from `now`; 0: none is, -1: without basal it stays."""
        self.bridge_until = limits.NEVER if ms < 0 else add(now[0], now[1], 0, ms) if ms else (0, 0)

    def hold(self, held):
        """No bolus begins while `held`."""
        self.held = held


def refusal(context, is_pca, mass_ng, at, fits_reservoir):
    """The first reason against a bolus of `mass_ng` requested at `at`, or ACCEPTED. `is_pca`: from the pendant.

    `fits_reservoir`: the reservoir holds the bolus. PENDANT is never returned: a faulty pendant gives no press.
    """
    if context.held:
        return limits.HOLD
    if context.alarmed:
        return limits.ALARM
    if not context.infusing:
        return limits.NOT_INFUSING
    if is_pca and mass_ng == 0:
        return limits.NO_PCA
    if context.bridge_until != (0, 0):
        return limits.BRIDGE
    if context.log_failed:
        return limits.LOG_FAILED
    if _is_blocked_by_bolus(context, is_pca, at):
        return limits.RUNNING
    until = context.lockouts.pca_until if is_pca and context.clinician.active else _any_until(context)
    if before(at[0], at[1], until[0], until[1]):
        return limits.LOCKOUT
    reason = context.windows.refusal(mass_ng, at[0], at[1], _pending(context), is_pca)
    if reason != limits.ACCEPTED:
        return reason
    return limits.ACCEPTED if fits_reservoir else limits.RESERVOIR


def has_next_time(reason):
    """True if the next possible time is known after a refusal for `reason`, or after a bolus (ACCEPTED)."""
    return reason in (limits.ACCEPTED, limits.BRIDGE) or limits.RUNNING <= reason <= limits.LIMIT_24H


def next_possible(context, is_pca, mass_ng, now):
    """The earliest instant from `now` at which such a bolus is accepted if nothing else is given, or NEVER."""
    lockouts, windows, lockout_s = context.lockouts, context.windows, context.lockout_s
    pca, clinician = context.pca, context.clinician
    pending = _pending(context)
    if context.bridge_until is limits.NEVER:
        return limits.NEVER
    now = later(now, context.bridge_until)
    pca_until, any_until = lockouts.pca_until, _any_until(context)
    if pca.active:
        pca_until = later(pca_until, add(pca.end[0], pca.end[1], lockout_s))
        any_until = later(any_until, pca_until)
    if clinician.active:
        clinician_end = _clinician_end(context)
        if is_pca:  # a PCA bolus may suspend a clinician bolus
            start = later(now, pca_until)
            during = windows.earliest(mass_ng, start[0], start[1], pending, is_pca)
            if during is not limits.NEVER and before(during[0], during[1], clinician_end[0], clinician_end[1]):
                return during
        any_until = later(any_until, add(clinician_end[0], clinician_end[1], lockout_s))
    start = later(now, any_until)
    return windows.earliest(mass_ng, start[0], start[1], pending, is_pca)


def _is_blocked_by_bolus(context, is_pca, at):
    """True if a PCA bolus runs or still ran at `at`, or if a clinician bolus runs and this is not a PCA bolus."""
    ended = context.lockouts.pca_end
    if context.pca.active or before(at[0], at[1], ended[0], ended[1]):
        return True
    return context.clinician.active and not is_pca


def _any_until(context):
    return later(context.lockouts.pca_until, context.lockouts.any_until)


def _clinician_end(context):
    return context.clinician.end_if_resumed(context.pca.end)


def _pending(context):
    found = []
    if context.pca.active:
        found.append(context.pca.pending(context.pca.end))
    if context.clinician.active:
        found.append(context.clinician.pending(_clinician_end(context)))
    return found
