"""The drug library of a clinic: a document of lines, signed by the authority in the provisioning.

A head, then one line for each drug, route and site, with the figures of `library.FIELDS`: doses in ug, times in s,
volumes in uL. The engineering fluid is not in it: that is built in.

  {"type":"library","version":1,"number":5,"title":"Bench defaults"}
  {"drug":"morphine","route":"intrathecal","site":"lumbar","concentrations_ug_per_ml":"50 100 200 500 1000",...}
"""

from pump import form, library, listing
from pump.library import TEST_FLUID, Entry
from pump.refusal import Refused
from pump.units import const

MAX_ENTRIES = const(24)
MAX_CONCENTRATIONS = const(10)
MAX_DRUG = const(16)  # one row of the display: two names must not look the same there

WHAT = "library"
HEAD = (
    ("type", form.TEXT),
    ("version", form.POSITIVE),
    ("number", form.POSITIVE),
    ("title", form.TEXT),
)
CONCENTRATIONS = "concentrations_ug_per_ml"
FIGURES = tuple([name for name in library.FIELDS if name not in (CONCENTRATIONS, "bench_only")])

# Every key of an entry's line, in the order in which it is written, with its kind.
FIELDS = (
    ("drug", form.TEXT),
    ("route", form.TEXT),
    ("site", form.TEXT),
    (CONCENTRATIONS, form.TEXT),  # plain integers, rising, one space in between
) + tuple([(name, form.POSITIVE) for name in FIGURES])

_DRUG_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789-"
_MACHINE = TEST_FLUID[("test-fluid", library.ROUTES[0], library.SITES[0])]
# What no clinic can set lower or higher for a drug; other figures end where the machine does.
_LOWEST = {
    "bolus_min_usteps": library.MIN_BOLUS_USTEPS,
    "bolus_duration_min_s": library.MIN_BOLUS_S,
    "lockout_min_s": library.MIN_LOCKOUT_S,
    "deadspace_min_ul": library.MIN_DEADSPACE_UL,
}
_HIGHEST = {"deadspace_max_ul": library.MAX_DEADSPACE_UL}


class Library:
    """number: of the document, 1 to 1000000000; title: text of 1 to 64 characters.

    entries: {(drug, route, site): Entry}, the engineering fluid's among them.
    """

    def __init__(self, number, title, entries):
        self.number = number
        self.title = title
        self.entries = entries


def parse(document):
    """The Library of a document (bytes or text), checked in every respect but its signature and its number.

    Refused: library_lines, _key_unknown, _key_missing, _value_type, _value_range, _type, _version, _drug, _route,
    _site, _concentrations, _order, _entry_doubled, or a code of strict_json.
    """
    head, *rest = listing.lines(document, WHAT, MAX_ENTRIES)
    values = form.read(head, WHAT, WHAT, HEAD)
    entries = dict(TEST_FLUID)
    for line in rest:
        key, entry = _checked(form.read(line, WHAT, "library entry", FIELDS))
        if key in entries:
            raise Refused("library_entry_doubled", {"key": "entry", "held": _named(key), "allowed": "each once"})
        entries[key] = entry
    return Library(values["number"], values["title"], entries)


def restore(document):
    """The Library of a document (bytes) that `parse` accepted before. Quick: nothing is checked."""
    head, *rest = listing.proven(document)
    entries = dict(TEST_FLUID)
    for values in rest:
        key, entry = _entry(values)
        entries[key] = entry
    return Library(head["number"], head["title"], entries)


def _entry(values):
    """The key and the Entry of a line's values."""
    concentrations = tuple([int(word) for word in values[CONCENTRATIONS].split(" ")])
    figures = [values[name] for name in FIGURES]
    return (values["drug"], values["route"], values["site"]), Entry(concentrations, *figures, False)


def _checked(values):
    _check_drug(values["drug"])
    _check_place("route", values, library.ROUTES)
    _check_place("site", values, library.SITES)
    _check_concentrations(values[CONCENTRATIONS])
    _check_figures(values)
    key, entry = _entry(values)
    if not library.in_order(entry):
        raise Refused("library_order", {"key": "limits of " + _named(key), "allowed": "each pair the right way round"})
    return key, entry


def _check_drug(drug):
    if len(drug) > MAX_DRUG or not all(letter in _DRUG_LETTERS for letter in drug):
        allowed = f"1 to {MAX_DRUG} of a-z 0-9 -"
        raise Refused("library_drug", {"key": "drug", "held": drug, "allowed": allowed})
    if library.has_drug(TEST_FLUID, drug):
        raise Refused("library_drug", {"key": "drug", "held": drug, "allowed": "any other: this one is built in"})


def _check_place(name, values, known):
    if values[name] not in known:
        detail = {"key": name, "held": values[name], "allowed": ", ".join(known)}
        raise Refused("library_" + name, detail)


def _check_concentrations(text):
    before, words = 0, text.split(" ")
    for word in words:
        ug_per_ml = int(word) if word.isdigit() else 0
        is_next = before < ug_per_ml <= library.MAX_CONCENTRATION_UG_PER_ML and str(ug_per_ml) == word
        if not is_next or len(words) > MAX_CONCENTRATIONS:
            most = library.MAX_CONCENTRATION_UG_PER_ML
            allowed = f"1 to {MAX_CONCENTRATIONS} rising integers from 1 to {most}, a space between two"
            raise Refused("library_concentrations", {"key": CONCENTRATIONS, "held": text, "allowed": allowed})
        before = ug_per_ml


def _check_figures(values):
    for name in FIGURES:
        is_floor = "_min_" in name
        low = _LOWEST.get(name, 1)
        high = form.MAX_INTEGER if is_floor else _HIGHEST.get(name, getattr(_MACHINE, name))
        if not low <= values[name] <= high:
            detail = {"key": name, "held": values[name], "allowed": f"an integer from {low} to {high}"}
            raise Refused("library_value_range", detail)


def _named(key):
    return "/".join(key)
