"""Signs prescriptions and bolus orders for the pump of a scenario with the bench keys."""

from typing import Any

from cisterna.pharmacy import documents, sign
from cisterna.pharmacy.keys import ClinicKeys
from cisterna.pharmacy.prescription_model import SYRINGE_UL, PumpTable
from cisterna.sim import equivalence

SERIAL = "BENCH-0001"
PATIENT = "BENCH"


class BenchPharmacy:
    """Signs the documents of one pump, with rising sequence numbers.

    values    the last prescription that the pump confirmed, in the keys of a scenario file
    rx_hash8  its short hash; "" before the first
    drugs     each drug that was prescribed, in order
    """

    def __init__(self, keys: ClinicKeys, pump: PumpTable, values: dict[str, Any]):
        self._keys = keys
        self._set = documents.pump_table_values(pump.model_dump())
        self._sequence = 0
        self._signed: dict[str, dict[str, Any]] = {}  # short hash -> values of each prescription that was signed
        self.values = values
        self.rx_hash8 = ""
        self.drugs = [values["drug"]]

    def prescription(self, values: dict[str, Any]) -> tuple[dict[str, Any], str]:
        """The parameters of `rx.load` for `values`, with the next sequence number, and the document's text.

        Always with a second signature: the pump checks it only for a first dose above its ceiling.
        """
        text = documents.prescription({**self._set, **values}, serial=SERIAL, patient=PATIENT, sequence=self._next())
        self._signed[sign.hash8(text)] = values
        return sign.overridden_rx_params(text, self._keys, SERIAL), text

    def order(self, ug: int, over_s: int) -> dict[str, Any]:
        """The parameters of `bolus.clinician` under the last accepted prescription: `ug` over `over_s`."""
        text = documents.clinician_bolus(serial=SERIAL, sequence=self._next(), rx=self.rx_hash8, ug=ug, over_s=over_s)
        return sign.order_params(text, self._keys)

    def stop(self) -> dict[str, Any]:
        """The parameters of `therapy.stop` under the last accepted prescription, signed by the clinician."""
        text = documents.therapy_stop(serial=SERIAL, sequence=self._next(), rx=self.rx_hash8)
        return {"document": text, **sign.signed_by("clinician", text, self._keys.clinician)}

    def in_force(self, hash8: str | None) -> None:
        """The pump says which prescription it confirmed last, by its short hash."""
        if hash8 != self.rx_hash8 and hash8 in self._signed:
            self.rx_hash8 = hash8
            self.values = self._signed[hash8]
            if self.values["drug"] != self.drugs[-1]:
                self.drugs.append(self.values["drug"])

    def syringe(self, values: dict[str, Any]) -> dict[str, Any]:
        """Fluid and size of the syringe that `values` prescribes, as a refill names them."""
        stated = {**self._set, **values}
        return {key: stated[key] for key in ("drug", "concentration_ug_per_ml", "syringe")}

    def changed(self, changes: dict[str, Any], fill_ul: int) -> dict[str, Any]:
        """The last accepted prescription with `changes`; another syringe than before holds `fill_ul`.

        Another drug gets the equivalence of the old daily dose by `equivalence.RATIO`, if `changes` states none.
        """
        values = {**self.values, **changes}
        old, new = self.syringe(self.values), self.syringe(values)
        if new["drug"] != old["drug"] and "equiv_prev_ug_per_day" not in changes:
            values["equiv_prev_ug_per_day"] = equivalence.restated_ug(
                self.values["basal_ug_per_day"], old["drug"], new["drug"]
            )
        if new != old:
            values["fill_ul"] = min(fill_ul, SYRINGE_UL[new["syringe"]])
        return values

    def _next(self) -> int:
        self._sequence += 1
        return self._sequence
