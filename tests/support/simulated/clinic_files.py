"""A small clinic: five keys, signed people and library, a prescription. Keys are made once per process."""

import json
from functools import cache

from cisterna import cli
from cisterna.pharmacy import documents, keys, provision, rx_files, signed_files
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
def clinic_keys():
    return keys.ClinicKeys(*(keys.generate() for _ in range(5)))


@cache
def foreign_key():
    return keys.generate()


def text(sequence=1, pump=PUMP, **changes):
    """The document of a prescription."""
    values = MORPHINE | documents.pump_table_values(pump) | changes
    return documents.prescription(values, serial=SERIAL, patient="bench", sequence=sequence)


def people_file(people_text=None, authority=None):
    document = people_text or provision.bench_people_text(clinic_keys())
    return signed_files.signed("people", document, authority or clinic_keys().authority)


def library_file(authority=None):
    return signed_files.signed("library", provision.bench_library_text(), authority or clinic_keys().authority)


def signed_rx(document=None, *, lift=False, people=("prescriber", "second"), by=clinic_keys):
    """A prescription signed by these people, each in the role of that name."""
    rx = rx_files.new(document or text())
    for name in people:
        serial = SERIAL if lift and name == "second" else None
        rx = rx_files.add_signature(rx, name, name, getattr(by(), name), serial=serial)
    return rx


def run(*arguments, input=""):
    """Run the command line in this process. Returns exit status, standard output, standard error."""
    result = CliRunner().invoke(cli.app, [str(argument) for argument in arguments], input=input)
    return result.exit_code, result.stdout, result.stderr


def write(path, content):
    """Write a signed file or a prescription to `path`. Returns `path`."""
    path.write_text(json.dumps(content.params() if isinstance(content, rx_files.RxFile) else content.model_dump()))
    return path


def secret_file(folder, text="correct horse battery", name="passphrase"):
    """Write a passphrase or PIN to a file that only its owner may read. Returns its path."""
    path = folder / name
    path.touch(0o600)
    path.write_text(text + "\n")
    return path
