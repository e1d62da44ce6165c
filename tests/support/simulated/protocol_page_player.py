"""Reads the examples of link/PROTOCOL.md and plays them on the simulated board."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cisterna.bench.unix_target import UnixTarget
from cisterna.link import pump_client as link
from cisterna.link.protocol import Requests, Tokens, unframe
from cisterna.pharmacy import documents, keys, provision, sign

from support.simulated import reading_hand

PAGE = Path(link.__file__).with_name("PROTOCOL.md")
SERIAL = "CB-0007"
ANY = "..."  # stands for any value: one that differs each time
UP_MS = 5_000
LOOK_MS = 600  # for which the display must have been seen before a key counts

_RX = {
    "drug": "test-fluid", "concentration_ug_per_ml": 1000, "route": "intrathecal", "site": "lumbar",
    "basal_ug_per_day": 14400, "bolus_ug": 100, "bolus_duration_s": 120, "lockout_s": 1800,
    "limit_1h_ug": 1200, "limit_4h_ug": 2650, "limit_24h_ug": 20000,
    "syringe": "bd-10", "fill_ul": 10000, "deadspace_ul": 300, "compliance_nl_per_kpa": 9000,
}  # fmt: skip


def examples(text: str) -> Iterator[tuple[str, Any]]:
    """In order: (">", request), ("<", answer), ("hand", action)."""
    for block in re.findall(r"```\n(.*?)```", text, re.DOTALL):
        for line in block.splitlines():
            if line[:2] in ("> ", "< "):
                yield line[0], json.loads(line[2:])
            elif line.startswith("("):
                yield "hand", line.strip("()")


class Player:
    """Plays requests of the page on a provisioned bench pump; fills in values that the page omits."""

    def __init__(self) -> None:
        self._keys = keys.bench_keys()
        self._target = UnixTarget()
        self._target.start({"seed": 1, **provision.bench_target_config(SERIAL, self._keys)})
        self._target.run_until(UP_MS)
        self._requests = Requests()
        self._tokens = Tokens(100)
        self._person = self._challenge = ""
        self._rx = documents.prescription(_RX, serial=SERIAL, patient="bench", sequence=1)
        self._library = provision.bench_library_text().replace('"number":1', '"number":2')

    def close(self) -> None:
        self._target.close()

    def hand(self, deed: str) -> None:
        """`START turns the pages, and is held on the last one`."""
        assert deed == "START turns the pages, and is held on the last one"
        self._target.run_until(self._target.now_ms + LOOK_MS)
        reading_hand.hold_start(self._target)

    def play(self, request: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Returns the request as sent, and the pump's answer."""
        method = request["method"]
        params = _filled(request.get("params", {}), self._values(method, request.get("params", {})))
        _, line = self._requests.line(method, params)
        sent = unframe(line)[1]
        answer = unframe(self._target.exchange(line))[1]
        self._note(method, params, answer.get("result"))
        return sent, answer

    def raw(self, line: bytes) -> bytes:
        return self._target.exchange(line)

    def _values(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Values for the places that the page leaves open."""
        bench = self._keys
        if method == "access.log_on":
            text = documents.log_on(
                serial=SERIAL, challenge=self._challenge, person=self._person, role=self._person,
                anchor=self._tokens.anchor,
            )  # fmt: skip
            signer = getattr(bench, self._person)
            return {"document": text, "signature": sign.signature_hex(text, signer)}
        if method == "rx.load":
            return sign.rx_params(self._rx, bench)
        if method == "bolus.clinician":
            order = {"serial": SERIAL, "sequence": 2, "rx": sign.hash8(self._rx), "ug": 50, "over_s": 120}
            return sign.order_params(documents.clinician_bolus(**order), bench)
        if method == "therapy.stop":
            text = documents.therapy_stop(serial=SERIAL, sequence=3, rx=sign.hash8(self._rx))
            return {"document": text, "signature": sign.signature_hex(text, bench.clinician)}
        if method.startswith("document."):
            text = self._library
            return {
                "length": len(text), "sha256": sign.sha256_hex(text),
                "data": text[params["offset"] : params["offset"] + 2048] if "offset" in params else "",
                "signature": sign.signature_hex(text, bench.authority),
            }  # fmt: skip
        if method == "provision.load":
            return {"block": provision.block_text(SERIAL, bench.authority.modulus_hex, bench=True)}
        if method == "image.bootsel":
            image = {"build": "0123456789abcdef", "commit": "abc1234", "variant": "therapy", "uf2_sha256": "0" * 64}
            text = documents.image_manifest(**image)
            return {"document": text, "signature": sign.signature_hex(text, bench.service)}
        return {}

    def _note(self, method: str, params: dict[str, Any], result: Any) -> None:
        if method == "access.challenge":
            self._person, self._challenge = params["person"], result["challenge"]
        elif method == "access.log_on":
            self._requests.logged_on(result["session"], self._tokens)
        elif method == "access.log_off":
            self._requests.logged_off()
            self._tokens = Tokens(100)


def _filled(said: Any, values: Any) -> Any:
    if said == ANY:
        return values
    if isinstance(said, dict):
        return {key: _filled(value, values[key] if isinstance(values, dict) and key in values else value)
                for key, value in said.items()}  # fmt: skip
    return said


def differences(said: Any, real: Any, where: str = "") -> list[str]:
    """Differences between page and pump; a value that the page leaves open equals any."""
    if said == ANY:
        return []
    if isinstance(said, dict) and isinstance(real, dict):
        lines = [f"{where}: only one of them has {key}" for key in sorted(said.keys() ^ real.keys())]
        for key in sorted(said.keys() & real.keys()):
            lines += differences(said[key], real[key], f"{where}.{key}")
        return lines
    return [] if said == real else [f"{where}: the page has {said!r}, the pump {real!r}"]
