"""Example prescriptions to change: MORPHINE (cisternal, 200 ug/day, 20 ug on demand) and FLUID (test fluid)."""

from pump.authority.trust import Trust
from pump.base import units
from pump.documents import people
from pump.documents.library import LIBRARY
from pump.documents.provisioning import Provisioning
from pump.prescribing import prescription

from support.portable import signed_vectors
from support.portable.refusals import refusal_code

SERIAL = "CB-0001"
BENCH = Provisioning(SERIAL, True, int(signed_vectors.AUTHORITY, 16))
CLINIC = Provisioning(SERIAL, False, int(signed_vectors.AUTHORITY, 16))
PEOPLE = people.restore(signed_vectors.people(3).encode())

MORPHINE = {
    "type": "prescription",
    "version": 1,
    "serial": SERIAL,
    "patient": "bench",
    "sequence": 7,
    "drug": "morphine",
    "concentration_ug_per_ml": 200,
    "route": "intrathecal",
    "site": "cisternal",
    "basal_ug_per_day": 200,
    "bolus_ug": 20,
    "bolus_duration_s": 300,
    "lockout_s": 3600,
    "max_boluses_per_h": "none",
    "max_boluses_per_24h": 6,
    "limit_1h_ug": "none",
    "limit_4h_ug": "none",
    "limit_24h_ug": 320,
    "syringe": "bd-10",
    "fill_ul": 10000,
    "deadspace_ul": 300,
    "compliance_nl_per_kpa": 9000,
    "equiv_prev_ug_per_day": "none",
}

FLUID = dict(MORPHINE)
FLUID.update(
    {
        "drug": "test-fluid",
        "concentration_ug_per_ml": 1000,
        "site": "lumbar",
        "basal_ug_per_day": 14400,
        "bolus_ug": 100,
        "bolus_duration_s": 120,
        "lockout_s": 1800,
        "limit_1h_ug": 1200,
        "limit_4h_ug": 2650,
        "limit_24h_ug": 20000,
    }
)


def trust_of(pump=BENCH, persons=PEOPLE, library=LIBRARY, number=0):
    """The Trust of a pump: provisioning, people, and a library of this number."""
    return Trust(pump, persons, library, number)


def text(base=MORPHINE, **changes):
    """The document of `base` with some keys changed; None omits a key; the flow is derived unless given."""
    values = dict(base)
    values.update(changes)
    if "flow_nl_per_h" not in values:
        basal, concentration = values["basal_ug_per_day"], values["concentration_ug_per_ml"]
        derivable = isinstance(basal, int) and isinstance(concentration, int) and concentration
        values["flow_nl_per_h"] = units.flow_nl_per_h(basal, concentration) if derivable else 0
    keys = [key for key, _ in prescription.FIELDS]
    keys += sorted(key for key in values if key not in keys)
    return "{" + ",".join(pair(key, values[key]) for key in keys if values[key] is not None) + "}"


def pair(key, value):
    """One key and its value in JSON."""
    return f'"{key}":"{value}"' if isinstance(value, str) else f'"{key}":{value}'


def parsed(base=MORPHINE, **changes):
    """The Prescription of the changed document."""
    return prescription.parse(text(base, **changes))


def checked(base=MORPHINE, current=None, pump=BENCH, last=0, override=None, **changes):
    """The Prescription of the changed document. Raises Refused by the rules."""
    rx = parsed(base, **changes)
    prescription.check(rx, pump, LIBRARY, last, current, override)
    return rx


def code(base=MORPHINE, current=None, pump=BENCH, last=0, override=None, **changes):
    """Code with which the changed document is refused; None: accepted."""
    return refusal_code(lambda: checked(base, current, pump, last, override, **changes))
