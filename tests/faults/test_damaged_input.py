"""Damaged lines and documents into the pump's own parsers, under MicroPython: none accepted, none that stops it.

The suite has a hundredth of it each time; CISTERNA_SOAK=1 has all: a million lines, a hundred thousand prescriptions.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median

import pytest
from cisterna.link.protocol import Tokens
from cisterna.pharmacy import documents, keys, provision, sign
from support.simulated.clinic_files import MORPHINE

REPOSITORY = Path(__file__).resolve().parents[2]
SCRIPT = REPOSITORY / "tests" / "support" / "micropython_scripts" / "damaged_input.py"
SERIAL = "FUZZ-1"
SEED, LINKS = bytes(range(32)), 16  # of the log-on's tokens
PARTS = 1 if os.environ.get("CISTERNA_SOAK") == "1" else 100
LINES, DOCUMENTS = 1_000_000 // PARTS, 100_000 // PARTS
AT_ONCE = 65_536  # bytes of one turn, garbage included: half of what is free on the chip, whose words are half as long
KEPT = 5_000  # ids of commands, and answers that can be given again
HEAP_GROWTH = 8_000  # bytes: what a collection leaves varies by as much; the pump's heap has 200 kB

RX = {
    **MORPHINE,
    "max_boluses_per_h": None,
    "syringe": "bd-10",
    "fill_ul": 10_000,
    "deadspace_ul": 300,
    "compliance_nl_per_kpa": 9_000,
}


def start_from(bench: keys.ClinicKeys) -> dict:
    """A provisioned pump, and a good example of everything that is then damaged."""
    text = documents.prescription(RX, serial=SERIAL, patient="FUZZ", sequence=1)
    call = sign.overridden_rx_params(text, bench, SERIAL)
    people_text, library_text = provision.bench_people_text(bench), provision.bench_library_text()
    order = documents.clinician_bolus(serial=SERIAL, sequence=2, rx=sign.hash8(text), ug=20, over_s=600)
    manifest = documents.image_manifest(build="0" * 16, commit="none", variant="therapy", uf2_sha256="0" * 64)
    block = provision.block_text(SERIAL, bench.authority.modulus_hex, bench=True)
    requests = [
        ("hello", {}),
        ("state", {}),
        ("rx.read", {}),
        ("records.read", {"from": 0, "max": 2}),
        ("access.challenge", {"person": "clinician"}),
        ("access.log_off", {}),
        ("therapy.pause", {}),
        ("therapy.stop", {}),
        ("rx.load", call),
        ("prime", {"disconnected": True}),
        ("bolus.clinician", sign.order_params(order, bench)),
        (
            "reservoir.refill",
            {
                "fill_ul": 9000,
                "returned_ul": 100,
                "drug": "morphine",
                "concentration_ug_per_ml": 200,
                "syringe": "bd-10",
            },
        ),
        ("clock.set", {"utc_s": 1_800_000_000}),
        ("provision.load", {"block": block}),
        ("document.begin", {"kind": "library", "length": 100, "sha256": "0" * 64, "signature": "0" * 768}),
        ("document.put", {"offset": 0, "data": library_text[:500]}),
        ("document.commit", {}),
        ("image.bootsel", {"document": manifest, "signature": sign.signature_hex(manifest, bench.authority)}),
    ]
    return {
        "dice": 20261127,
        "config": provision.bench_target_config(SERIAL, bench),
        "requests": requests,
        "rx": call,
        "people": people_text,
        "library": library_text,
        "block": block,
        "seed": SEED.hex(),
        "links": LINKS,
    }


@pytest.fixture(scope="module")
def seen(tmp_path_factory) -> dict:
    bench, tokens = keys.bench_keys(), Tokens(LINKS, SEED)
    path = tmp_path_factory.mktemp("fuzz") / "start.json"
    path.write_text(json.dumps(start_from(bench)))
    folders = [REPOSITORY / "firmware/unix", REPOSITORY / "firmware", REPOSITORY / "host_tools/cisterna/bench"]
    command = [Path(sys.executable).with_name("micropython"), "-X", "emit=native", "-X", "heapsize=16m"]
    run = subprocess.Popen(
        [*command, SCRIPT, path, str(LINES), str(DOCUMENTS)],
        env={**os.environ, "MICROPYPATH": ":".join([*map(str, folders), ".frozen"])},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    challenge = run.stdout.readline().strip()
    text = documents.log_on(
        serial=SERIAL, challenge=challenge, person="clinician", role="clinician", anchor=tokens.anchor
    )
    params = {"document": text, "signature": sign.signature_hex(text, bench.clinician)}
    told, _ = run.communicate(json.dumps(params) + "\n")
    assert run.returncode == 0, told[-2000:]
    return json.loads(told.splitlines()[-1])


def _growth(looks: list[int]) -> float:
    """Bytes from the first half to the second. By the median, for a collection may leave what the last line was."""
    half = len(looks) // 2
    return abs(median(looks[half:]) - median(looks[:half]))


def test_no_damaged_line_has_an_effect(seen):
    """SEC-10, SEC-08: the script ends at the first line that changes the pump or is answered with anything else."""
    codes = seen["codes"]
    assert sum(codes.values()) > LINES * 0.95
    for word in (
        "line_truncated", "line_damaged", "line_number", "line_out_of_order", "line_json",
        "request_form", "method_unknown", "params", "session_replayed", "session_other", "session_token", "answered",
    ):  # fmt: skip
        assert codes.get(word), f"{word}: never reached ({codes})"


def test_no_line_exceeds_the_memory_of_the_pump(seen):
    """SEC-10: nested, endless, long: answered over the wire, by little memory, nothing raised and nothing kept."""
    excess = seen["excess"]
    assert sum(excess["codes"].values()) > LINES // 40 * 0.9
    for word in ("request_limits", "request_form", "line_truncated", "method_unknown", "params", "answered"):
        assert excess["codes"].get(word), f"{word}: never reached ({excess['codes']})"
    assert excess["most"] < AT_ONCE
    assert _growth(excess["memory"][1:]) < HEAP_GROWTH + KEPT, excess["memory"]


def test_the_pump_s_memory_does_not_grow(seen):
    """SEC-10."""
    assert _growth(seen["memory"][1:]) < HEAP_GROWTH, seen["memory"]  # after the first, what is made once has been made
    assert seen["documents_memory"] < HEAP_GROWTH


def test_a_damaged_prescription_is_exact_or_refused_and_never_admitted(seen):
    """SEC-10, H01, H08."""
    accepted, refused = seen["prescriptions"]
    assert accepted + refused == DOCUMENTS and 0 < accepted < refused
    assert sum(seen["signed"].values()) > DOCUMENTS // 10 * 0.9 and seen["signed"]["rx_signature"]


def test_damaged_people_libraries_and_blocks_are_exact_or_refused(seen):
    """SEC-06, SEC-10, LIB-07."""
    for kind in ("people", "library", "blocks"):
        accepted, refused = seen[kind]
        assert accepted < refused, kind
