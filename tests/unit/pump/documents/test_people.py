"""The people document: who may do what, or a refusal with its code (SEC-01, SEC-05)."""

from pump.documents import people
from support.portable import signed_vectors
from support.portable.refusals import refusal, refusal_code

HEAD = '{"type":"people","version":1,"number":3,"clinic":"Bench"}\n'


def key(n):
    """A modulus of the right form for the n-th person."""
    return "c" + "%03d" % n * 255 + "01"


def line(name="rossi", roles="prescriber clinician", modulus=None):
    return '{"name":"%s","roles":"%s","key":"%s"}\n' % (name, roles, modulus or key(0))


def code(text):
    """The code with which a document is refused; None if it is accepted."""
    return refusal_code(people.parse, text.encode())


def code_of_line(text):
    return code(HEAD + text)


ROSSI = line(modulus=signed_vectors.PRESCRIBER)
BIANCHI = line("bianchi", "second", signed_vectors.SECOND)


def told(found):
    return found.number, found.clinic, found.persons


def test_a_people_document_is_parsed():
    found = people.parse((HEAD + ROSSI + BIANCHI).encode())
    assert (found.number, found.clinic, len(found.persons)) == (3, "Bench", 2)
    assert found.persons[0].name == "rossi" and found.persons[0].roles == ("prescriber", "clinician")
    assert found.persons[1].name == "bianchi" and found.persons[1].roles == ("second",)
    assert told(people.parse(HEAD + ROSSI + BIANCHI)) == told(found)  # the link hands it over as text


def test_the_key_of_a_person_in_a_role():
    """SEC-05: each role has to be given; one does not stand for another."""
    found = people.parse(HEAD + ROSSI + BIANCHI)
    assert found.key("rossi", people.PRESCRIBER) == int(signed_vectors.PRESCRIBER, 16)
    assert found.key("rossi", people.CLINICIAN) == int(signed_vectors.PRESCRIBER, 16)
    assert found.key("bianchi", people.SECOND) == int(signed_vectors.SECOND, 16)
    for name, role in (("rossi", "second"), ("rossi", "service"), ("bianchi", "prescriber"), ("rossi", "")):
        assert refusal_code(found.key, name, role) == "person_role", (name, role)
    for name in ("verdi", "Rossi", "rossi ", "", "rossi\n", None, 1):
        assert refusal_code(found.key, name, people.PRESCRIBER) == "person_unknown", name
    refused = refusal(found.key, "bianchi", people.CLINICIAN)
    assert refused.message == 'roles of bianchi holds "second"; allowed: clinician'


def test_the_number_of_a_person():
    found = people.parse(HEAD + ROSSI + BIANCHI)
    assert [found.number_of(name) for name in ("rossi", "bianchi", "verdi", "")] == [1, 2, 0, 0]


def test_as_many_as_there_may_be():
    lines = [line("p%d" % n, "clinician", key(n)) for n in range(people.MAX_PERSONS)]
    found = people.parse(HEAD + "".join(lines))
    assert len(found.persons) == 12 and found.number_of("p11") == 12
    assert code(HEAD + "".join(lines) + line("p12", "clinician", key(12))) == "people_lines"
    assert code(HEAD) == "people_lines"
    assert code("") == "people_lines"


def test_what_was_accepted_is_restored():
    for text in (HEAD + ROSSI, HEAD + ROSSI + BIANCHI, HEAD.replace("{", "{ ") + "\t" + BIANCHI.replace(":", " : ")):
        assert told(people.restore(text.encode())) == told(people.parse(text))


def test_each_line_has_its_end():
    for text in (HEAD + ROSSI[:-1], HEAD + ROSSI + " ", HEAD + ROSSI + BIANCHI[:-1], HEAD[:-1]):
        assert code(text) == "people_lines"
    inner = HEAD.replace(",", ",\n", 1)
    for text in (
        HEAD + "\n" + ROSSI,
        HEAD + ROSSI + "\n",
        "\n" + HEAD + ROSSI,
        HEAD[:-1] + ROSSI + BIANCHI,
        inner + ROSSI,
    ):
        assert code(text) in ("people_not_json", "people_trailing"), text


def test_the_head():
    for before, after, expected in (
        ('"people"', '"library"', "people_type"),
        ('"version":1', '"version":2', "people_version"),
        ('"version":1', '"version":"1"', "people_value_type"),
        ('"number":3', '"number":0', "people_value_range"),
        ('"number":3', '"number":-3', "people_value_range"),
        ('"number":3', '"number":1000000001', "people_value_range"),
        ('"number":3', '"number":3.0', "people_number_form"),
        ('"number":3', '"number":"3"', "people_value_type"),
        ('"number":3,', "", "people_key_missing"),
        ('"number":3', '"number":3,"number":4', "people_key_doubled"),
        ('"clinic":"Bench"', '"clinic":""', "people_value_range"),
        ('"clinic":"Bench"', '"clinic":"' + "x" * 65 + '"', "people_value_range"),
        ('"clinic":"Bench"', '"clinic":"Bench","authority":"x"', "people_key_unknown"),
    ):
        assert before in HEAD
        assert code(HEAD.replace(before, after) + ROSSI) == expected, after
    assert code(ROSSI + HEAD) == "people_key_unknown"
    assert code(HEAD + HEAD) == "people_key_unknown"


def test_the_keys_of_a_line():
    for before, after, expected in (
        ('"name":"rossi",', "", "people_key_missing"),
        ('"roles":"prescriber clinician",', "", "people_key_missing"),
        (',"key":"' + signed_vectors.PRESCRIBER + '"', "", "people_key_missing"),
        ('{"name"', '{"note":"","name"', "people_key_unknown"),
        ('{"name"', '{"name":"verdi","name"', "people_key_doubled"),
        ('"rossi"', "7", "people_value_type"),
        ('"' + signed_vectors.PRESCRIBER + '"', "7", "people_value_type"),
        ('"rossi"', '"ross\u00ec"', "people_not_ascii"),
        ('"rossi"', '"ro\\u0073si"', "people_string_form"),
    ):
        assert before in ROSSI
        assert code_of_line(ROSSI.replace(before, after)) == expected, after


def test_names():
    for name in ("a", "m.rossi-2", "0", "-", "." * 16):
        assert code_of_line(line(name)) is None, name
    for name in ("", "Rossi", "m rossi", " rossi", "rossi ", "m_rossi", "a" * 17, "rossi,"):
        assert code_of_line(line(name)) == "people_name", name
    assert code_of_line(ROSSI + line("rossi", "second", signed_vectors.SECOND)) == "people_name_doubled"


def test_roles_are_words_of_a_list_in_its_order():
    """One spelling for one set of roles, and no person without a role."""
    words = people.ROLES
    assert words == ("prescriber", "second", "clinician", "service")
    for bits in range(1, 16):
        roles = " ".join([words[n] for n in range(4) if bits >> n & 1])
        assert people.parse(HEAD + line(roles=roles)).persons[0].roles == tuple(roles.split(" "))
    for roles in (
        "", " ", "clinician prescriber", "second prescriber", "prescriber  second", "prescriber,second", " second",
        "second ", "second second", "Second", "authority", "prescriber authority", "patient",
    ):  # fmt: skip
        assert code_of_line(line(roles=roles)) == "people_roles", roles


def test_keys():
    good = signed_vectors.PRESCRIBER
    for bad in (good[:-1], good + "00", good.upper(), "0" + good[1:], good[:-1] + "0", good[:-1] + "g", " " + good[1:]):
        assert code_of_line(line(modulus=bad)) == "people_key", bad[:8]
    assert code_of_line('{"name":"rossi","roles":"second","key":""}\n') == "people_key"


def test_one_key_for_two_names():
    """H06: one person with two names is no second person."""
    assert code_of_line(ROSSI + line("bianchi", "second", signed_vectors.PRESCRIBER)) == "people_same_key"
    refused = refusal(people.parse, HEAD + ROSSI + BIANCHI + line("verdi", "service", signed_vectors.SECOND))
    assert (refused.code, refused.detail["key"]) == ("people_same_key", "key of verdi")
