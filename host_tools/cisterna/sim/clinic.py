"""The people around the pump: who signs what, with which number, and which fluid is drawn up."""

from typing import Any

from cisterna.pharmacy import documents, sign
from cisterna.pharmacy.keys import Keys
from cisterna.sim.schema import Pump

SERIAL = "BENCH-0001"
PATIENT = "BENCH"


class Clinic:
    """Signs for one pump. `values`: the last accepted prescription, in the keys of a scenario file."""

    def __init__(self, keys: Keys, pump: Pump, values: dict[str, Any]):
        self._keys = keys
        self._set = documents.pump_keys(pump.model_dump())
        self._sequence = 0
        self.values = values
        self.rx_hash8 = ""
        self.drugs = [values["drug"]]  # each drug that was prescribed, in turn

    def prescription(self, values: dict[str, Any]) -> tuple[dict[str, Any], str]:
        """The parameters of `rx.load` for `values`, with the next sequence number, and the document in them.

        A second person always signs beside: the pump looks at that only for a first dose above its ceiling.
        """
        text = documents.prescription({**values, **self._set}, serial=SERIAL, patient=PATIENT, sequence=self._next())
        return sign.overridden_call(text, self._keys, SERIAL), text

    def order(self, ug: int, over_s: int) -> dict[str, Any]:
        """The parameters of `bolus.clinician` under the prescription that was accepted last."""
        text = documents.clinician_bolus(serial=SERIAL, sequence=self._next(), rx=self.rx_hash8, ug=ug, over_s=over_s)
        return sign.order_call(text, self._keys)

    def accepted(self, values: dict[str, Any], document: str) -> None:
        """The pump has taken this prescription and it was confirmed."""
        self.values = values
        self.rx_hash8 = sign.hash8(document)
        if values["drug"] != self.drugs[-1]:
            self.drugs.append(values["drug"])

    def same_fluid(self, values: dict[str, Any]) -> bool:
        """Whether `values` wants what is in the syringe."""
        keys = ("drug", "concentration_ug_per_ml")
        return all(values[key] == self.values[key] for key in keys)

    def _next(self) -> int:
        self._sequence += 1
        return self._sequence
