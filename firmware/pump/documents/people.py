"""The people document: names, roles and public keys of the clinic's people.

A document of lines, signed by the authority named in the provisioning: a head, then one line per person.

  {"type":"people","version":1,"number":3,"clinic":"Bench"}
  {"name":"rossi","roles":"prescriber clinician","key":"<768 hex digits>"}
"""

from collections import namedtuple

from pump.base.refusal import Refused
from pump.base.text import consists_of
from pump.base.units import const
from pump.documents import fields, line_list, signature, strict_json

PRESCRIBER = "prescriber"  # signs prescriptions and bolus orders
SECOND = "second"  # signs prescriptions as second person, and overrides
CLINICIAN = "clinician"  # logs on to run the therapy
SERVICE = "service"  # logs on to maintain the pump
ROLES = (PRESCRIBER, SECOND, CLINICIAN, SERVICE)  # in the order required in the document

MAX_PERSONS = const(12)
MAX_NAME = const(16)  # characters, one row of the display

TYPE = "people"
PREFIX = TYPE  # of the refusal codes
HEAD = (
    ("type", fields.TEXT),
    ("version", fields.POSITIVE),
    ("number", fields.POSITIVE),
    ("clinic", fields.TEXT),
)
KEYS = ("name", "roles", "key")  # of a person's line; all values are texts
_NAME_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789.-"

# name: str; roles: tuple of ROLES; key: RSA modulus as 768 hex digits; `People.key` makes the int
Person = namedtuple("Person", KEYS)


class People:
    """number   of the document, 1 to 1000000000
    clinic   1 to 64 characters
    persons  tuple of 1 to 12 Person
    """

    def __init__(self, number, clinic, persons):
        self.number = number
        self.clinic = clinic
        self.persons = persons

    def key(self, name, role):
        """The RSA modulus (int) of `name`, who must have `role`, one of ROLES. Refused: person_unknown, person_role."""
        for person in self.persons:
            if person.name == name:
                if role not in person.roles:
                    held = " ".join(person.roles)
                    raise Refused("person_role", {"key": "roles of " + name, "held": held, "allowed": role})
                return int(person.key, 16)
        do = "add this person to the clinic's people document"
        raise Refused("person_unknown", {"key": "person", "held": name, "do": do})

    def number_of(self, name):
        """1-based index of `name` in the document, as the records have it; 0: not found."""
        for index, person in enumerate(self.persons, 1):
            if person.name == name:
                return index
        return 0


def parse(document):
    """The People of `document` (bytes or str). Checks everything but the signature and the number.

    Refused: people_lines, _key_unknown, _key_missing, _value_type, _value_range, _type, _version, _name, _name_doubled,
    _roles, _key, _same_key, or a code of strict_json.
    """
    head, *rest = line_list.lines(document, PREFIX, MAX_PERSONS)
    values = fields.read(head, PREFIX, TYPE, HEAD)
    persons = []
    for line in rest:
        person = _checked(strict_json.parse(line, PREFIX))
        for other in persons:
            if other.name == person.name:
                detail = {"key": "name", "held": person.name, "allowed": "each person once"}
                raise Refused("people_name_doubled", detail)
            if other.key == person.key:  # else one person could sign as two
                detail = {"key": "key of " + person.name, "allowed": "a key other than that of " + other.name}
                raise Refused("people_same_key", detail)
        persons.append(person)
    return People(values["number"], values["clinic"], tuple(persons))


def restore(document):
    """The People of `document` (bytes) that `parse` accepted before. Quick: checks nothing."""
    head, *rest = line_list.parse_accepted(document)
    return People(head["number"], head["clinic"], tuple([_person(values) for values in rest]))


def _person(values):
    return Person(values["name"], tuple(values["roles"].split(" ")), values["key"])


def _checked(values):
    """The Person of the values of a line; Refused if one of them is not allowed."""
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
    signature.public_key(person.key, "key of " + person.name, PREFIX)
    return person


def _check_name(name):
    if 1 <= len(name) <= MAX_NAME and consists_of(name, _NAME_LETTERS):
        return
    allowed = f"1 to {MAX_NAME} of a-z 0-9 . -"
    raise Refused("people_name", {"key": "name", "held": name[: fields.MAX_TEXT], "allowed": allowed})
