"""A small clinic: five keys, its signed people and library, a prescription. Keys are made once in a process."""

import json
from functools import cache

from cisterna import cli
from cisterna.pharmacy import documents, files, keys, provision, rx_files
from typer.testing import CliRunner

SERIAL = "CB-0001"
PUMP = {"syringe": "bd-10", "fill_ml": 10.0}
MORPHINE = {
    "drug": "morphine",
    "concentration_ug_per_ml": 200,
    "route": "intrathecal",
    "site": "cisternal",
    "basal_ug_per_day": 200,
    "bolus_ug": 20,
    "bolus_duration_s": 300,
    "lockout_s": 3600,
    "max_boluses_per_24h": 6,
    "limit_24h_ug": 320,
}
HIGH = {"basal_ug_per_day": 700, "limit_24h_ug": 1000}  # above the first-dose ceiling of 500


@cache
def ward_keys():
    return keys.Keys(*(keys.generate() for _ in range(5)))


@cache
def stranger():
    return keys.generate()


def text(sequence=1, pump=PUMP, **changes):
    """The document of a prescription."""
    values = MORPHINE | documents.pump_keys(pump) | changes
    return documents.prescription(values, serial=SERIAL, patient="bench", sequence=sequence)


def people_file(people_text=None, authority=None):
    document = people_text or provision.bench_people_text(ward_keys())
    return files.signed("people", document, authority or ward_keys().authority)


def library_file(authority=None):
    return files.signed("library", provision.bench_library_text(), authority or ward_keys().authority)


def signed_rx(document=None, *, lift=False, people=("prescriber", "second"), by=ward_keys):
    """A prescription with the signatures of these people of the bench, each in the role he is named after."""
    rx = rx_files.new(document or text())
    for name in people:
        serial = SERIAL if lift and name == "second" else None
        rx = rx_files.add_signature(rx, name, name, getattr(by(), name), serial=serial)
    return rx


def run(*arguments, input=""):
    """The command line in this process: its exit status, what it printed, what it said on standard error."""
    result = CliRunner().invoke(cli.app, [str(argument) for argument in arguments], input=input)
    return result.exit_code, result.stdout, result.stderr


def write(path, content):
    """A signed file or a prescription, at `path`; returns it."""
    path.write_text(json.dumps(content.call() if isinstance(content, rx_files.RxFile) else content.model_dump()))
    return path


def secret_file(folder, text="correct horse battery", name="passphrase"):
    """A passphrase or PIN in a file of its owner's only."""
    path = folder / name
    path.touch(0o600)
    path.write_text(text + "\n")
    return path
