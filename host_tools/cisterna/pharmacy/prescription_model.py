"""Models of the `[pump]` and `[prescription]` tables, as scenario files and the pharmacy's TOML files have them."""

from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from cisterna.strict_model import NotNegative, Number, Positive, StrictModel

SYRINGE_UL = {"bd-5": 5_000, "bd-10": 10_000, "bd-20": 20_000, "bd-30": 30_000, "bd-50": 50_000}

Syringe = Literal["bd-5", "bd-10", "bd-20", "bd-30", "bd-50"]
Concentration = Annotated[int, Field(ge=1)]  # ug/mL; at 0 no flow could be derived


class PumpTable(StrictModel):
    """`[pump]`: the syringe set, then the figures of the simulated world. Volumes uL (fill mL), pressures kPa.

    `catheter_ul` of the dead space lie beyond the connector, where no filling of the line renews them.
    `compliance_known_as` is what the prescription states; `compliance_ul_per_kpa` is what the world has.
    """

    syringe: Syringe
    fill_ml: Positive
    compliance_ul_per_kpa: Positive = 9.0
    compliance_known_as: Positive = 9.0
    deadspace_ul: Annotated[float, Field(gt=0, le=10_000, allow_inf_nan=False)] = 300
    catheter_ul: NotNegative = 0
    resistance_kpa_per_ml_h: Positive = 0.65
    tip_kpa: Number = 1.3
    movement_kpa: NotNegative = 0
    bore_error_percent: Annotated[float, Field(ge=-50, le=50, allow_inf_nan=False)] = 0
    pitch_error_um: NotNegative = 1.5
    backlash_um: NotNegative = 20
    stick_slip_um: NotNegative = 2
    pressure_noise_kpa: NotNegative = 0.02
    encoder_inl_deg: NotNegative = 1.0
    cpu_ms_per_wake: Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)] = 0

    @model_validator(mode="after")
    def _check_catheter(self) -> "PumpTable":
        if self.catheter_ul >= self.deadspace_ul:
            allowed = f"less than deadspace_ul, {self.deadspace_ul:g}"
            detail = {"key": "catheter_ul", "held": self.catheter_ul, "allowed": allowed}
            raise PydanticCustomError("cisterna", "{allowed}", detail)
        return self

    @model_validator(mode="after")
    def _check_fill(self) -> "PumpTable":
        capacity_ml = SYRINGE_UL[self.syringe] / 1000
        if self.fill_ml > capacity_ml:
            raise PydanticCustomError(
                "cisterna",
                "{allowed}",
                {
                    "key": "fill_ml",
                    "held": self.fill_ml,
                    "allowed": f"at most {capacity_ml:g}, the {self.syringe} syringe",
                },
            )
        return self


class Prescription(StrictModel):
    """`[prescription]`: masses ug, times s. None is written as "none" (no limit) in the signed document."""

    drug: Literal["morphine", "hydromorphone", "test-fluid"]
    concentration_ug_per_ml: Concentration
    route: Literal["intrathecal", "epidural"]
    site: Literal["lumbar", "cisternal", "epidural"]
    basal_ug_per_day: int
    bolus_ug: int
    bolus_duration_s: int
    lockout_s: int
    max_boluses_per_h: int | None = None
    max_boluses_per_24h: int | None = None
    limit_1h_ug: int | None = None
    limit_4h_ug: int | None = None
    limit_24h_ug: int | None = None
    equiv_prev_ug_per_day: int | None = None
