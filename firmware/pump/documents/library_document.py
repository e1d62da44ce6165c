"""The library document: the drug library of a clinic, signed by the authority named in the provisioning.

A head, then one line for each drug, route and site, with the limits of `library.FIELDS`: doses in ug, times in s,
volumes in uL. The engineering fluid is built in and not part of the document.

  {"type":"library","version":1,"number":5,"title":"Bench defaults"}
  {"drug":"morphine","route":"intrathecal","site":"lumbar","concentrations_ug_per_ml":"50 100 200 500 1000",...}
"""

from pump.base.refusal import Refused
from pump.base.text import consists_of
from pump.base.units import const
from pump.documents import fields, library, line_list
from pump.documents.library import TEST_FLUID, Entry

MAX_ENTRIES = const(24)
MAX_CONCENTRATIONS = const(10)
MAX_DRUG = const(16)  # characters, one row of the display: no two names may look the same there

TYPE = "library"
PREFIX = TYPE  # of the refusal codes
HEAD = (
    ("type", fields.TEXT),
    ("version", fields.POSITIVE),
    ("number", fields.POSITIVE),
    ("title", fields.TEXT),
)
CONCENTRATIONS = "concentrations_ug_per_ml"
LIMITS = tuple([name for name in library.FIELDS if name not in (CONCENTRATIONS, "bench_only")])

# The keys of an entry's line in the order of writing, each with its kind.
FIELDS = (
    ("drug", fields.TEXT),
    ("route", fields.TEXT),
    ("site", fields.TEXT),
    (CONCENTRATIONS, fields.TEXT),  # rising integers in ug/mL, separated by one space
) + tuple([(name, fields.POSITIVE) for name in LIMITS])

_DRUG_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789-"
_MACHINE_LIMITS = TEST_FLUID[("test-fluid", library.ROUTES[0], library.SITES[0])]
# Floors and ceilings of a clinic's limits for a drug; the ceiling of the other limits is that of the machine.
_LOWEST = {
    "bolus_min_usteps": library.MIN_BOLUS_USTEPS,
    "bolus_duration_min_s": library.MIN_BOLUS_S,
    "lockout_min_s": library.MIN_LOCKOUT_S,
    "deadspace_min_ul": library.MIN_DEADSPACE_UL,
}
_HIGHEST = {"deadspace_max_ul": library.MAX_DEADSPACE_UL}


class Library:
    """number   of the document, 1 to 1000000000
    title    1 to 64 characters
    entries  {(drug, route, site): Entry}, including the engineering fluid
    """

    def __init__(self, number, title, entries):
        self.number = number
        self.title = title
        self.entries = entries


def parse(document):
    """The Library of `document` (bytes or str). Checks everything but the signature and the number.

    Refused: library_lines, _key_unknown, _key_missing, _value_type, _value_range, _type, _version, _drug, _route,
    _site, _concentrations, _order, _entry_doubled, or a code of strict_json.
    """
    head, *rest = line_list.lines(document, PREFIX, MAX_ENTRIES)
    values = fields.read(head, PREFIX, TYPE, HEAD)
    entries = dict(TEST_FLUID)
    for line in rest:
        key, entry = _checked(fields.read(line, PREFIX, "library entry", FIELDS))
        if key in entries:
            raise Refused("library_entry_doubled", {"key": "entry", "held": _joined(key), "allowed": "each once"})
        entries[key] = entry
    return Library(values["number"], values["title"], entries)


def restore(document):
    """The Library of `document` (bytes) that `parse` accepted before. Quick: checks nothing."""
    head, *rest = line_list.parse_accepted(document)
    entries = dict(TEST_FLUID)
    for values in rest:
        key, entry = _entry(values)
        entries[key] = entry
    return Library(head["number"], head["title"], entries)


def _entry(values):
    """(key, Entry) of the values of a line; the key is (drug, route, site)."""
    concentrations = tuple([int(word) for word in values[CONCENTRATIONS].split(" ")])
    limits = [values[name] for name in LIMITS]
    return (values["drug"], values["route"], values["site"]), Entry(concentrations, *limits, False)


def _checked(values):
    """(key, Entry) of the values of a line; Refused if one of them is not allowed."""
    _check_drug(values["drug"])
    _check_choice("route", values, library.ROUTES)
    _check_choice("site", values, library.SITES)
    _check_concentrations(values[CONCENTRATIONS])
    _check_limits(values)
    key, entry = _entry(values)
    if not library.in_order(entry):
        allowed = "first dose <= soft <= hard maximum, boluses <= hard maximum, each min <= max"
        raise Refused("library_order", {"key": "limits of " + _joined(key), "allowed": allowed})
    return key, entry


def _check_drug(drug):
    if len(drug) > MAX_DRUG or not consists_of(drug, _DRUG_LETTERS):
        allowed = f"1 to {MAX_DRUG} of a-z 0-9 -"
        raise Refused("library_drug", {"key": "drug", "held": drug, "allowed": allowed})
    if library.has_drug(TEST_FLUID, drug):
        raise Refused("library_drug", {"key": "drug", "held": drug, "allowed": "another name: this fluid is built in"})


def _check_choice(name, values, choices):
    if values[name] not in choices:
        detail = {"key": name, "held": values[name], "allowed": ", ".join(choices)}
        raise Refused("library_" + name, detail)


def _check_concentrations(text):
    last, words = 0, text.split(" ")
    for word in words:
        ug_per_ml = int(word) if word.isdigit() else 0
        is_next = last < ug_per_ml <= library.MAX_CONCENTRATION_UG_PER_ML and str(ug_per_ml) == word
        if not is_next or len(words) > MAX_CONCENTRATIONS:
            most = library.MAX_CONCENTRATION_UG_PER_ML
            allowed = f"1 to {MAX_CONCENTRATIONS} rising integers from 1 to {most}, separated by one space"
            raise Refused("library_concentrations", {"key": CONCENTRATIONS, "held": text, "allowed": allowed})
        last = ug_per_ml


def _check_limits(values):
    for name in LIMITS:
        is_floor = "_min_" in name
        low = _LOWEST.get(name, 1)
        high = fields.MAX_INTEGER if is_floor else _HIGHEST.get(name, getattr(_MACHINE_LIMITS, name))
        if not low <= values[name] <= high:
            detail = {"key": name, "held": values[name], "allowed": f"an integer from {low} to {high}"}
            raise Refused("library_value_range", detail)


def _joined(key):
    return "/".join(key)
