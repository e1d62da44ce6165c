"""A clinic's library: entries as strict as those of the image, or a refusal with its code (LIB-01, LIB-05, LIB-12)."""

from pump.documents import library, library_document
from pump.documents.library import LIBRARY, TEST_FLUID
from support.portable.refusals import refusal, refusal_code

HEAD = '{"type":"library","version":1,"number":5,"title":"Bench defaults"}\n'
MORPHINE = ("morphine", "intrathecal", "lumbar")


def line(key=MORPHINE, entry=LIBRARY[MORPHINE], **changes):
    """The line of an entry, some values changed; None leaves one out."""
    values = {"drug": key[0], "route": key[1], "site": key[2]}
    for name in library.FIELDS[:-1]:
        values[name] = getattr(entry, name)
    values["concentrations_ug_per_ml"] = " ".join([str(c) for c in entry.concentrations_ug_per_ml])
    values.update(changes)
    names = [name for name, _ in library_document.FIELDS]
    names += sorted([name for name in values if name not in names])
    return "{" + ",".join([pair(name, values[name]) for name in names if values[name] is not None]) + "}\n"


def pair(name, value):
    return f'"{name}":"{value}"' if isinstance(value, str) else f'"{name}":{value}'


def code(text):
    """The code with which a document is refused; None if it is accepted."""
    return refusal_code(library_document.parse, text.encode())


def code_of(**changes):
    """The same of a document with one entry, some values changed."""
    return code(HEAD + line(**changes))


def told(found):
    return found.number, found.title, found.entries


def drugs():
    """The keys of the built-in library that are for drugs."""
    return sorted([key for key in LIBRARY if not LIBRARY[key].bench_only])


WHOLE = HEAD + "".join([line(key, LIBRARY[key]) for key in drugs()])


def test_the_built_in_library_as_a_document():
    """LIB-01: what it says is what the image's own library says."""
    found = library_document.parse(WHOLE.encode())
    assert (found.number, found.title) == (5, "Bench defaults")
    assert found.entries == LIBRARY
    assert len(drugs()) == 5


def test_every_figure_of_an_entry_is_in_its_line():
    names = [name for name, _ in library_document.FIELDS]
    assert names == ["drug", "route", "site"] + [name for name in library.FIELDS if name != "bench_only"]


def test_a_clinics_own_figures():
    changed = line(("ziconotide", "intrathecal", "cisternal"), concentrations_ug_per_ml="25", lockout_min_s=7200)
    entries = library_document.parse(HEAD + changed).entries
    entry = entries[("ziconotide", "intrathecal", "cisternal")]
    assert (entry.concentrations_ug_per_ml, entry.lockout_min_s, entry.bench_only) == ((25,), 7200, False)
    assert MORPHINE not in entries  # the document is the whole library; nothing of the image's comes through
    assert len(entries) == 1 + len(TEST_FLUID)


def test_the_engineering_fluid_is_built_in():
    entries = library_document.parse(HEAD + line()).entries
    for key in TEST_FLUID:
        assert entries[key] == LIBRARY[key]
    assert code_of(drug="test-fluid") == "library_drug"
    assert code_of(bench_only=1) == "library_key_unknown"


def test_what_was_accepted_is_restored():
    for text in (WHOLE, HEAD + line(), HEAD + line().replace(":", " : ")):
        assert told(library_document.restore(text.encode())) == told(library_document.parse(text))


def test_as_many_as_there_may_be():
    lines = [line(("drug-%d" % n, "epidural", "epidural")) for n in range(library_document.MAX_ENTRIES)]
    assert len(library_document.parse(HEAD + "".join(lines)).entries) == 24 + len(TEST_FLUID)
    assert code(HEAD + "".join(lines) + line()) == "library_lines"
    for text in ("", HEAD, HEAD + line()[:-1], HEAD + line() + " "):
        assert code(text) == "library_lines"
    assert code(HEAD + "\n" + line()) == "library_not_json"
    assert code(HEAD + line()[:-1] + line()) == "library_trailing"


def test_the_head():
    for before, after, expected in (
        ('"library"', '"people"', "library_type"),
        ('"version":1', '"version":2', "library_version"),
        ('"number":5', '"number":0', "library_value_range"),
        ('"number":5', '"number":1000000001', "library_value_range"),
        ('"number":5,', "", "library_key_missing"),
        ('"title":"Bench defaults"', '"title":""', "library_value_range"),
        ('"title"', '"note":"","title"', "library_key_unknown"),
    ):
        assert before in HEAD
        assert code(HEAD.replace(before, after) + line()) == expected, after
    assert code(line() + HEAD) == "library_key_unknown"
    assert code(HEAD + HEAD) == "library_type"


def test_each_key_of_an_entry_must_be_there_once():
    for name, _ in library_document.FIELDS:
        assert code_of(**{name: None}) == "library_key_missing", name
    assert code(HEAD + line().replace('{"drug"', '{"drug":"x","drug"')) == "library_key_doubled"


def test_figures_are_plain_integers():
    """LIB-12."""
    for name in library_document.LIMITS:
        good = f'"{name}":{getattr(LIBRARY[MORPHINE], name)}'
        assert good in line()
        for bad in ("0.5", "1e3", "+1", "007"):
            assert code(HEAD + line().replace(good, f'"{name}":{bad}')) == "library_number_form", name
        assert code_of(**{name: "500"}) == "library_value_type", name
        assert code_of(**{name: 0}) == "library_value_range", name
        assert code_of(**{name: -1}) == "library_value_range", name


def test_drugs_are_named_in_one_way():
    """LIB-08: a name that looks like another is none."""
    for drug in ("a", "morphine-2", "abcdefghijklmnop"):
        assert code_of(drug=drug) is None, drug
    for drug in ("Morphine", "MORPHINE", "morphine ", " morphine", "mor phine", "abcdefghijklmnopq", "morphine.", "m_"):
        assert code_of(drug=drug) == "library_drug", drug
    assert code_of(drug="") == "library_value_range"


def test_routes_and_sites_are_known_ones():
    """LIB-11."""
    for route in ("intravenous", "Intrathecal", "lumbar", "it"):
        assert code_of(route=route) == "library_route"
    for site in ("intrathecal", "Lumbar", "thoracic"):
        assert code_of(site=site) == "library_site"


def test_an_entry_twice():
    other = line(("morphine", "intrathecal", "cisternal"))
    assert code(HEAD + line() + other) is None
    assert code(HEAD + line() + other + line(lockout_min_s=3600)) == "library_entry_doubled"


def test_concentrations_are_listed_rising():
    """LIB-02."""
    for good, held in (
        ("1", (1,)), ("25000", (25_000,)), ("1 25000", (1, 25_000)), ("1 2 3 4 5 6 7 8 9 10", tuple(range(1, 11))),
    ):  # fmt: skip
        entry = library_document.parse(HEAD + line(concentrations_ug_per_ml=good)).entries[MORPHINE]
        assert entry.concentrations_ug_per_ml == held
    for bad in (
        " ", "0", "0 50", "50 50", "100 50", "50  100", " 50", "50 ", "050", "+50", "-50", "50,100", "0.5", "5e2",
        "50 x", "25001", "1 2 3 4 5 6 7 8 9 10 11", "any", "99999999999999999999",
    ):  # fmt: skip
        assert code_of(concentrations_ug_per_ml=bad) == "library_concentrations", bad
    assert code_of(concentrations_ug_per_ml="") == "library_value_range"
    assert code_of(concentrations_ug_per_ml=50) == "library_value_type"


def test_every_pair_of_limits_is_the_right_way_round():
    """LIB-05."""
    for changes in (
        {"first_dose_max_ug_per_day": 2_001},
        {"basal_soft_max_ug_per_day": 10_001},
        {"bolus_max_ug": 10_001},
        {"clinician_bolus_max_ug": 10_001},
        {"bolus_duration_min_s": 3_601},
        {"lockout_min_s": 86_401},
        {"deadspace_min_ul": 3_001},
    ):
        assert code_of(**changes) == "library_order", changes


def test_no_clinic_goes_below_the_floors_of_a_drug():
    """LIM-02, ITH-03, ITH-05, H12: for any signer of a library."""
    for name, floor in (
        ("lockout_min_s", 1_800),
        ("bolus_min_usteps", 10),
        ("bolus_duration_min_s", 120),
        ("deadspace_min_ul", 100),
    ):
        assert code_of(**{name: floor}) is None
        assert code_of(**{name: floor - 1}) == "library_value_range"
    refused = refusal(library_document.parse, HEAD + line(lockout_min_s=60))
    assert refused.message == "lockout_min_s holds 60; allowed: an integer from 1800 to 1000000000"


def test_no_figure_is_past_what_the_machine_can_do():
    """H12, LIM-02: ends that hold for every clinic."""
    bolus = TEST_FLUID[("test-fluid", "epidural", "lumbar")].bolus_max_ug
    for name, end in (
        ("basal_hard_max_ug_per_day", 6_000_000),
        ("bolus_max_ug", bolus),
        ("clinician_bolus_max_ug", bolus),
        ("bolus_duration_max_s", library.MAX_CLINICIAN_BOLUS_S),
        ("lockout_max_s", 86_400),
        ("deadspace_max_ul", 3_000),
    ):
        assert code_of(**{"basal_hard_max_ug_per_day": 6_000_000, name: end}) is None, name
        assert code_of(**{"basal_hard_max_ug_per_day": 6_000_000, name: end + 1}) == "library_value_range", name
    assert code_of(first_dose_max_ug_per_day=6_000_001) == "library_value_range"
    assert code_of(basal_soft_max_ug_per_day=6_000_001) == "library_value_range"
