"""Who may do what on this pump: the clinic's people, their roles and their public keys.

A document of lines, signed by the authority in the provisioning: a head, then one line a person.

  {"type":"people","version":1,"number":3,"clinic":"Bench"}
  {"name":"rossi","roles":"prescriber clinician","key":"<768 hex digits>"}
"""

from collections import namedtuple

from pump import form, listing, signature, strict_json
from pump.refusal import Refused
from pump.units import const

PRESCRIBER = "prescriber"  # signs prescriptions and orders
SECOND = "second"  # signs prescriptions as the second person, and overrides
CLINICIAN = "clinician"  # logs on to run a therapy
SERVICE = "service"  # logs on to look after the pump
ROLES = (PRESCRIBER, SECOND, CLINICIAN, SERVICE)  # in the order in which a document has them

MAX_PERSONS = const(12)
MAX_NAME = const(16)  # one row of the display

WHAT = "people"
HEAD = (
    ("type", form.TEXT),
    ("version", form.POSITIVE),
    ("number", form.POSITIVE),
    ("clinic", form.TEXT),
)
KEYS = ("name", "roles", "key")  # of a person's line, all texts
_NAME_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789.-"

# name; roles: tuple of words; key: the modulus, 768 hex digits. An int of it is made when it is asked for.
Person = namedtuple("Person", KEYS)


class People:
    """number: of the document, 1 to 1000000000; clinic: 1 to 64 characters; persons: tuple of 1 to 12 Person."""

    def __init__(self, number, clinic, persons):
        self.number = number
        self.clinic = clinic
        self.persons = persons

    def key(self, name, role):
        """The RSA modulus, an int, of the person `name` in a role of ROLES. Refused: person_unknown, person_role."""
        for person in self.persons:
            if person.name == name:
                if role not in person.roles:
                    held = " ".join(person.roles)
                    raise Refused("person_role", {"key": "roles of " + name, "held": held, "allowed": role})
                return int(person.key, 16)
        do = "name this person in the clinic's people document"
        raise Refused("person_unknown", {"key": "person", "held": name, "do": do})

    def number_of(self, name):
        """The place of a person in the document, from 1; 0 for who is not in it."""
        for place, person in enumerate(self.persons, 1):
            if person.name == name:
                return place
        return 0


def parse(document):
    """The People of a document (bytes or text), checked in every respect but its signature and its number.

    Refused: people_lines, _key_unknown, _key_missing, _value_type, _value_range, _type, _version, _name, _name_doubled,
    _roles, _key, _same_key, or a code of strict_json.
    """
    head, *rest = listing.lines(document, WHAT, MAX_PERSONS)
    values = form.read(head, WHAT, WHAT, HEAD)
    persons = []
    for line in rest:
        person = _checked(strict_json.parse(line, WHAT))
        for other in persons:
            if other.name == person.name:
                detail = {"key": "name", "held": person.name, "allowed": "each person once"}
                raise Refused("people_name_doubled", detail)
            if other.key == person.key:  # one person with two names is no second person
                detail = {"key": "key of " + person.name, "allowed": "a key other than that of " + other.name}
                raise Refused("people_same_key", detail)
        persons.append(person)
    return People(values["number"], values["clinic"], tuple(persons))


def restore(document):
    """The People of a document (bytes) that `parse` accepted before. Quick: nothing is checked."""
    head, *rest = listing.proven(document)
    return People(head["number"], head["clinic"], tuple([_person(values) for values in rest]))


def _person(values):
    return Person(values["name"], tuple(values["roles"].split(" ")), values["key"])


def _checked(values):
    for key in values:
        if key not in KEYS:
            raise Refused("people_key_unknown", {"key": key, "held": values[key], "allowed": ", ".join(KEYS)})
    for key in KEYS:
        if key not in values:
            raise Refused("people_key_missing", {"key": key, "allowed": ", ".join(KEYS)})
        if not isinstance(values[key], str):
            raise Refused("people_value_type", {"key": key, "held": values[key], "allowed": "a text"})
    person = _person(values)
    _check_name(person.name)
    if list(person.roles) != [role for role in ROLES if role in person.roles]:
        allowed = "one or more, each once and in this order, of: " + " ".join(ROLES)
        raise Refused("people_roles", {"key": "roles of " + person.name, "held": values["roles"], "allowed": allowed})
    signature.public_key(person.key, "key of " + person.name, WHAT)
    return person


def _check_name(name):
    if 1 <= len(name) <= MAX_NAME and all(letter in _NAME_LETTERS for letter in name):
        return
    allowed = f"1 to {MAX_NAME} of a-z 0-9 . -"
    raise Refused("people_name", {"key": "name", "held": name[:64], "allowed": allowed})
