"""The rules for a prescription on this pump: limits of the machine, library, earlier dose. Each has its refusal code.

Nothing here changes state. All arithmetic is exact on integers; the dose of a basal in a window is rounded up.
"""

from pump.base import units
from pump.base.refusal import Refused, refused
from pump.documents import fields
from pump.documents import library as drugs
from pump.prescribing import override as overrides

FLOW_TOLERANCE_PERCENT = 1  # of the stated flow against the calculated one
BOLUS_FLOW_NL_PER_H = 100_000  # the part of MAX_FLOW_NL_PER_H that a basal must leave for a bolus
SLOWEST_STEP_S = 900  # longest time between two microsteps; the schedule can hold 1000 s

# An occlusion is detected once max(50 uL, 5 kPa x compliance) are stored; that must take at most 2.4 h (H15).
OCCLUSION_MIN_NL = 50_000
OCCLUSION_RISE_KPA = 5
OCCLUSION_BUDGET_TENTHS_OF_H = 24


def check(rx, provisioning, library, last_sequence, current, override=None):
    """True if `rx`, whose form and signatures were checked, is accepted with an override; False if without one.

    provisioning   Provisioning or None
    library        {(drug, route, site): Entry}
    last_sequence  of the last accepted prescription or order
    current        the last accepted Prescription, or None
    override       a second person's Override, or None; read only if it is needed

    Refused: rx_*.
    """
    check_address(rx, provisioning, last_sequence)
    entry = find_entry(rx, provisioning, library)
    _check_set(rx, entry)
    _check_basal(rx, entry)
    _check_bolus(rx, entry)
    _check_limits(rx, entry)
    _check_change_of_drug(rx, current, entry)
    if entry.bench_only:
        return False
    _check_therapy(rx, entry)
    return _check_step(rx, entry, current, override, provisioning)


def check_address(document, provisioning, last_sequence, prefix="rx"):
    """Returns if a prescription or order is for this pump and its sequence is 1 to MAX_NUMBER_STEP above the last.

    Refused: `prefix`_not_provisioned, _serial, _sequence.
    """
    if provisioning is None:
        raise Refused(prefix + "_not_provisioned", {"key": "pump", "do": "provision this pump first"})
    if document.serial != provisioning.serial:
        raise refused(prefix + "_serial", document, "serial", provisioning.serial)
    if not last_sequence < document.sequence <= last_sequence + fields.MAX_NUMBER_STEP:
        allowed = f"{last_sequence + 1} to {last_sequence + fields.MAX_NUMBER_STEP}"
        raise refused(prefix + "_sequence", document, "sequence", allowed)


def find_entry(rx, provisioning, library):
    """The library Entry for drug, route, site and concentration of `rx`.

    Refused: rx_drug_unknown, rx_route_site, rx_not_bench, rx_concentration.
    """
    if not drugs.has_drug(library, rx.drug):
        raise refused("rx_drug_unknown", rx, "drug", ", ".join(sorted({key[0] for key in library})))
    entry = library.get((rx.drug, rx.route, rx.site))
    if entry is None:
        places = ", ".join(sorted("{}/{}".format(*key[1:]) for key in library if key[0] == rx.drug))
        detail = {"key": "route and site", "held": f"{rx.route}/{rx.site}", "allowed": places}
        raise Refused("rx_route_site", detail)
    if entry.bench_only and not provisioning.bench:
        raise refused("rx_not_bench", rx, "drug", "only on a pump provisioned for the bench")
    if not drugs.allows_concentration(entry, rx.concentration_ug_per_ml):
        listed = ", ".join(str(c) for c in entry.concentrations_ug_per_ml)
        allowed = listed or f"1 to {drugs.MAX_CONCENTRATION_UG_PER_ML}"
        raise refused("rx_concentration", rx, "concentration_ug_per_ml", allowed + " ug/mL")
    return entry


def warnings(rx, library):
    """Tuple of (code, limit in ug) of each soft limit that an accepted prescription exceeds (LIB-03)."""
    most = library[(rx.drug, rx.route, rx.site)].basal_soft_max_ug_per_day
    return (("basal_soft_max", most),) if rx.basal_ug_per_day > most else ()


def basal_in_window_ug(basal_ug_per_day, window_s):
    """Mass in ug of a basal over a window of `window_s`, rounded up."""
    return (basal_ug_per_day * window_s + units.DAY_S - 1) // units.DAY_S


# Limits of the machine: syringe and line


def _check_set(rx, entry):
    if rx.syringe not in units.SYRINGES:
        raise refused("rx_syringe", rx, "syringe", ", ".join(sorted(units.SYRINGES)))
    low, high = drugs.MIN_COMPLIANCE_NL_PER_KPA, drugs.MAX_COMPLIANCE_NL_PER_KPA
    _check_range("rx_compliance", rx, "compliance_nl_per_kpa", low, high)
    _check_range("rx_deadspace", rx, "deadspace_ul", entry.deadspace_min_ul, entry.deadspace_max_ul)
    # The fill must be more than the dead space of the line.
    _check_range("rx_fill", rx, "fill_ul", rx.deadspace_ul + 1, units.capacity_ul(rx.syringe))


def _check_basal(rx, entry):
    basal, concentration = rx.basal_ug_per_day, rx.concentration_ug_per_ml
    if basal and not _is_machine_flow(basal, concentration):
        raise refused("rx_basal_machine", rx, "basal_ug_per_day", "0, or what 0.01 to 10 mL/h deliver")
    if basal > entry.basal_hard_max_ug_per_day:
        allowed = f"at most {entry.basal_hard_max_ug_per_day}"
        raise refused("rx_basal_hard_max", rx, "basal_ug_per_day", allowed)
    stated, derived = rx.flow_stated_nl_per_h, rx.flow_nl_per_h
    if abs(stated - derived) * 100 > derived * FLOW_TOLERANCE_PERCENT:
        allowed = f"{derived} +- {FLOW_TOLERANCE_PERCENT} %, the flow of this basal at this concentration"
        raise Refused("rx_flow_mismatch", {"key": "flow_nl_per_h", "held": stated, "allowed": allowed})


def _is_machine_flow(basal_ug_per_day, concentration_ug_per_ml):
    """True if the basal is within the flow of the machine. Exact: compares ug/day with nL/h times ug/mL."""
    scaled = basal_ug_per_day * 1_000_000
    per_nl_per_h = 24 * concentration_ug_per_ml
    return units.MIN_FLOW_NL_PER_H * per_nl_per_h <= scaled <= units.MAX_FLOW_NL_PER_H * per_nl_per_h


def leaves_flow_for_bolus(rx):
    """True if basal and a bolus together fit into the flow of the machine."""
    return rx.flow_nl_per_h <= units.MAX_FLOW_NL_PER_H - BOLUS_FLOW_NL_PER_H


def is_schedulable(ug, duration_s, rx):
    """True if a bolus of `ug` over `duration_s` has at least 1 microstep, and one every SLOWEST_STEP_S or faster."""
    nl = units.volume_nl_of_mass(ug, rx.concentration_ug_per_ml)
    usteps = units.usteps_of_volume(nl, units.pl_per_ustep(rx.syringe))
    return usteps >= 1 and duration_s <= usteps * SLOWEST_STEP_S


def check_tip(rx, basal_ug_per_day, ug_per_ml):
    """Returns if the pump can give `basal_ug_per_day` and the boluses of `rx` with fluid of `ug_per_ml` at the tip.

    Refused: rx_basal_machine, rx_bolus_needs_flow, rx_bolus_too_small, rx_bolus_too_slow.
    """
    flow = units.flow_nl_per_h(basal_ug_per_day, ug_per_ml)
    pl_step = units.pl_per_ustep(rx.syringe)
    slowest = -(-pl_step * 3600 // (SLOWEST_STEP_S * 1000))
    if basal_ug_per_day and not slowest <= flow <= units.MAX_FLOW_NL_PER_H:
        allowed = "%d to %d nL/h of the %d ug/mL in the line" % (slowest, units.MAX_FLOW_NL_PER_H, ug_per_ml)
        raise refused("rx_basal_machine", rx, "basal_ug_per_day", allowed)
    if rx.bolus_ug == 0:
        return
    if flow > units.MAX_FLOW_NL_PER_H - BOLUS_FLOW_NL_PER_H:
        raise refused("rx_bolus_needs_flow", rx, "basal_ug_per_day", "9.9 mL/h of what the line holds")
    usteps = units.usteps_of_volume(units.volume_nl_of_mass(rx.bolus_ug, ug_per_ml), pl_step)
    if usteps < 1:
        raise refused("rx_bolus_too_small", rx, "bolus_ug", "1 microstep of the %d ug/mL in the line" % ug_per_ml)
    if rx.bolus_duration_s > usteps * SLOWEST_STEP_S:
        raise refused("rx_bolus_too_slow", rx, "bolus_duration_s", f"1 microstep every {SLOWEST_STEP_S} s or faster")


def _check_bolus(rx, entry):
    # Without a patient bolus, lockout and duration may be 0. A lockout of 0 excludes a clinician bolus too.
    if rx.bolus_ug or rx.lockout_s:
        _check_range("rx_lockout_range", rx, "lockout_s", entry.lockout_min_s, entry.lockout_max_s)
    if rx.bolus_ug or rx.bolus_duration_s:
        _check_bolus_duration(rx, entry)
    if rx.bolus_ug == 0:
        return
    if not leaves_flow_for_bolus(rx):
        raise refused("rx_bolus_needs_flow", rx, "flow_nl_per_h", "at most 9.9 mL/h, so that a bolus has 0.1 mL/h")
    if exceeds_syringe(rx.bolus_ug, rx):
        raise refused("rx_bolus_over_syringe", rx, "bolus_ug", f"at most what a full {rx.syringe} holds")
    least_nl = entry.bolus_min_usteps * units.pl_per_ustep(rx.syringe) // 1000 + 1
    if units.volume_nl_of_mass(rx.bolus_ug, rx.concentration_ug_per_ml) < least_nl:
        raise refused("rx_bolus_too_small", rx, "bolus_ug", f"at least {least_nl} nL")
    if not is_schedulable(rx.bolus_ug, rx.bolus_duration_s, rx):
        raise refused("rx_bolus_too_slow", rx, "bolus_duration_s", f"1 microstep every {SLOWEST_STEP_S} s or faster")


def _check_bolus_duration(rx, entry):
    low, high = entry.bolus_duration_min_s, entry.bolus_duration_max_s
    _check_range("rx_bolus_duration", rx, "bolus_duration_s", low, high)


def exceeds_syringe(ug, rx):
    """True if `ug` is more than a full syringe of this prescription holds."""
    return ug * 1000 > units.capacity_ul(rx.syringe) * rx.concentration_ug_per_ml


# Counts and limits

_ZERO_CODES = {"lim": "rx_limit_zero", "max": "rx_count_zero", "equ": "rx_equivalence_zero"}


def _check_limits(rx, entry):
    for key in rx.zeros:
        raise refused(_ZERO_CODES[key[:3]], rx, key, '1 or more, or "none"')
    if not rx.limit_24h_ug and not entry.bench_only:
        detail = {"key": "limit_24h_ug", "held": "none", "allowed": "a limit: required for every drug"}
        raise Refused("rx_limit_missing", detail)
    for name, window_s in (("1h", units.HOUR_S), ("4h", 4 * units.HOUR_S), ("24h", units.DAY_S)):
        limit_ug = getattr(rx, f"limit_{name}_ug")
        basal_ug = basal_in_window_ug(rx.basal_ug_per_day, window_s)
        if limit_ug and basal_ug > limit_ug:
            allowed = f"{basal_ug} or more, the dose of the basal alone"
            raise refused("rx_basal_over_limit_" + name, rx, f"limit_{name}_ug", allowed)


# Limits of the therapy, for drugs only: not for the engineering fluid


def _check_therapy(rx, entry):
    reference_ug = drugs.daily_reference_ug(entry, rx.basal_ug_per_day)
    most_ug = min(entry.bolus_max_ug, reference_ug * drugs.BOLUS_PERCENT_OF_DAILY // 100)
    if rx.bolus_ug > most_ug:
        raise refused("rx_bolus_max", rx, "bolus_ug", f"at most {most_ug}")
    cap_ug = reference_ug * drugs.DAILY_CAP_PERCENT // 100
    if rx.limit_24h_ug > cap_ug:
        raise refused("rx_24h_cap", rx, "limit_24h_ug", f"at most {cap_ug}")
    stored_nl = max(OCCLUSION_MIN_NL, OCCLUSION_RISE_KPA * rx.compliance_nl_per_kpa)
    least_nl_per_h = -(-stored_nl * 10 // OCCLUSION_BUDGET_TENTHS_OF_H)
    if rx.basal_ug_per_day and rx.flow_nl_per_h < least_nl_per_h:
        allowed = f"at least {least_nl_per_h}, else an occlusion is detected too late: use a lower concentration"
        raise refused("rx_flow_too_slow", rx, "flow_nl_per_h", allowed)


def _check_change_of_drug(rx, current, entry):
    """Requires the equivalence after a change of drug: the windows count doses of the old drug as this drug (H04).

    There is none between a drug and the engineering fluid.
    """
    if current is None or current.drug == rx.drug:
        return
    if entry.bench_only or drugs.has_drug(drugs.TEST_FLUID, current.drug):
        raise refused("rx_not_bench", rx, "drug", "%s, which is in the line" % current.drug)
    if not rx.equiv_prev_ug_per_day:
        detail = {
            "key": "equiv_prev_ug_per_day",
            "held": "none",
            "allowed": f"the daily dose of {current.drug} as ug of {rx.drug}",
        }
        raise Refused("rx_no_equivalence", detail)


def _check_step(rx, entry, current, override, provisioning):
    """Checks the step from the current basal. True if a second person's override was needed."""
    basal = rx.basal_ug_per_day
    if current is not None and current.drug != rx.drug:
        most = rx.equiv_prev_ug_per_day * drugs.EQUIVALENCE_PERCENT // 100
        if basal > most:
            raise refused("rx_over_equivalence", rx, "basal_ug_per_day", f"at most {most}")
    if _is_first(rx, current):
        return _check_first_dose(rx, entry, override, provisioning)
    if basal * 100 > current.basal_ug_per_day * drugs.EDIT_PERCENT:
        allowed = f"at most {current.basal_ug_per_day * drugs.EDIT_PERCENT // 100} in one step"
        raise refused("rx_step_over_2x", rx, "basal_ug_per_day", allowed)
    return False


def _is_first(rx, current):
    """True for the first prescription of this drug at this route and site (H05), and after a basal of 0."""
    if current is None or current.basal_ug_per_day == 0:
        return True
    return (current.drug, current.route, current.site) != (rx.drug, rx.route, rx.site)


def _check_first_dose(rx, entry, override, provisioning):
    """Checks the first-dose ceiling. True if a second person's override was needed."""
    if rx.basal_ug_per_day <= entry.first_dose_max_ug_per_day:
        return False
    allowed = f"at most {entry.first_dose_max_ug_per_day} as first dose"
    refusal = refused("rx_first_dose", rx, "basal_ug_per_day", allowed)
    refusal.detail["do"] = "start lower, or have a second person sign an override"
    if override is None:
        raise refusal
    try:
        overrides.check(override, rx, provisioning.serial)
    except Refused as why:
        refusal.detail["override"] = why.code
        refusal.detail["do"] = why.message
        raise refusal
    return True


def _check_range(code, rx, key, low, high):
    if not low <= getattr(rx, key) <= high:
        raise refused(code, rx, key, f"{low} to {high}")
