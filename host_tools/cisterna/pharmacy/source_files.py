"""Reads the TOML files that people write: prescription, people, drug library. Only their form is checked here."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ConfigDict

from cisterna import toml_files
from cisterna.errors import DocumentError
from cisterna.pharmacy import documents, signers
from cisterna.pharmacy.prescription_model import Prescription, PumpTable
from cisterna.strict_model import StrictModel, validate

BENCH_LIBRARY = Path(__file__).with_name("bench_library.toml")


class Prescribed(Prescription):
    """As in a scenario, but with any drug: the clinic's library decides which drugs exist."""

    drug: str


class PrescriptionFile(StrictModel):
    """The tables `[pump]` and `[prescription]` of a scenario file; other tables are ignored."""

    model_config = ConfigDict(extra="ignore")

    pump: PumpTable
    prescription: Prescribed


class Person(StrictModel):
    """key: path of the public key's PEM file, relative to the people file."""

    name: str
    roles: list[str]
    key: str


class PeopleFile(StrictModel):
    clinic: str
    person: list[Person]


class Drug(StrictModel):
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


class LibraryFile(StrictModel):
    entry: list[Drug]


@dataclass(frozen=True)
class People:
    """A people file. persons: the argument of `documents.people`."""

    clinic: str
    persons: list[dict[str, Any]]


def prescription(path: Path) -> dict[str, Any]:
    """The `values` of `documents.prescription`, from the tables of a TOML or scenario file. Raises DocumentError."""
    stated = validate(PrescriptionFile, toml_files.read(path, DocumentError), str(path))
    return {**stated.prescription.model_dump(), **documents.pump_table_values(stated.pump.model_dump())}


def people(path: Path) -> People:
    """A people file with the public keys that it names. Raises DocumentError, or KeyFileError for a key."""
    stated = validate(PeopleFile, toml_files.read(path, DocumentError), str(path))
    persons = [
        {"name": person.name, "roles": person.roles, "key": signers.public_modulus_of_file(path.parent / person.key)}
        for person in stated.person
    ]
    return People(stated.clinic, persons)


def library(path: Path) -> list[dict[str, Any]]:
    """The entries of a library file: the `drugs` of `documents.library`. Raises DocumentError."""
    stated = validate(LibraryFile, toml_files.read(path, DocumentError), str(path))
    return [entry.model_dump() for entry in stated.entry]
