"""The TOML files people write: a prescription, the people, the drug library. Only their form is judged here."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ConfigDict

from cisterna.pharmacy import documents, signers
from cisterna.pharmacy.documents import DocumentError
from cisterna.pharmacy.models import Strict, judged
from cisterna.sim import schema

BENCH_LIBRARY = Path(__file__).with_name("bench_library.toml")


class Prescribed(schema.Prescription):
    """As in a scenario, but of any drug: which ones there are is the clinic's library's to say."""

    drug: str


class PrescriptionFile(Strict):
    """The two tables of a scenario file that prescribe; what else a scenario has is not looked at."""

    model_config = ConfigDict(extra="ignore")

    pump: schema.Pump
    prescription: Prescribed


class Person(Strict):
    """key: a file with the public key, beside the people file if its path is not absolute."""

    name: str
    roles: list[str]
    key: str


class PeopleFile(Strict):
    clinic: str
    person: list[Person]


class Drug(Strict):
    """One drug by one route at one site. Masses ug, times s, volumes uL."""

    drug: str
    route: str
    site: str
    concentrations_ug_per_ml: list[int]
    first_dose_max_ug_per_day: int
    basal_soft_max_ug_per_day: int
    basal_hard_max_ug_per_day: int
    bolus_max_ug: int
    clinician_bolus_max_ug: int
    bolus_min_usteps: int
    bolus_duration_min_s: int
    bolus_duration_max_s: int
    lockout_min_s: int
    lockout_max_s: int
    deadspace_min_ul: int
    deadspace_max_ul: int


class LibraryFile(Strict):
    entry: list[Drug]


@dataclass(frozen=True)
class People:
    """clinic: its name. persons: as `documents.people` takes them."""

    clinic: str
    persons: list[dict[str, Any]]


def prescription(path: Path) -> dict[str, Any]:
    """What `documents.prescription` takes, from the [prescription] and [pump] tables of a TOML or scenario file."""
    stated = judged(PrescriptionFile, _toml(path), str(path))
    return {**stated.prescription.model_dump(), **documents.pump_keys(stated.pump.model_dump())}


def people(path: Path) -> People:
    """Who is in a people file, with the public keys it names. Raises DocumentError, or KeyFileError for a key."""
    stated = judged(PeopleFile, _toml(path), str(path))
    persons = [
        {"name": person.name, "roles": person.roles, "key": signers.public_of_file(path.parent / person.key)}
        for person in stated.person
    ]
    return People(stated.clinic, persons)


def library(path: Path) -> list[dict[str, Any]]:
    """The entries of a library file, as `documents.library` takes them. Raises DocumentError."""
    return [entry.model_dump() for entry in judged(LibraryFile, _toml(path), str(path)).entry]


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8"))
    except OSError as error:
        raise DocumentError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise DocumentError(f"{path}: byte {error.start} is not UTF-8; allowed: a UTF-8 text file") from None
    except tomllib.TOMLDecodeError as error:
        raise DocumentError(f"{path}: not TOML: {error}") from None
    except RecursionError:
        raise DocumentError(f"{path}: nested too deep; allowed: a TOML file of the documented form") from None
