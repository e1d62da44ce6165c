"""The `[pump]` keys of a scenario file: what the world is built from, with the contract's defaults."""

from binascii import unhexlify

VAULT_BYTES = 0x10000

# name -> (nominal volume in uL, bore in mm)
SYRINGES = {
    "bd-5": (5000, 12.07),
    "bd-10": (10000, 14.50),
    "bd-20": (20000, 19.13),
    "bd-30": (30000, 21.70),
    "bd-50": (50000, 26.70),
}

PUMP_DEFAULTS = {
    "syringe": "bd-10",
    "fill_ml": 10.0,
    "compliance_ul_per_kpa": 9.0,
    "compliance_known_as": 9.0,  # what the pump was told; the world itself has no use for it
    "deadspace_ul": 300.0,
    "resistance_kpa_per_ml_h": 0.65,
    "tip_kpa": 1.3,
    "movement_kpa": 0.0,
    "bore_error_percent": 0.0,
    "pitch_error_um": 1.5,
    "backlash_um": 20.0,
    "stick_slip_um": 2.0,
    "pressure_noise_kpa": 0.02,
    "encoder_inl_deg": 1.0,
}

_MUST_BE_POSITIVE = ("fill_ml", "compliance_ul_per_kpa", "deadspace_ul", "resistance_kpa_per_ml_h")
_MAY_BE_NEGATIVE = ("tip_kpa", "bore_error_percent")


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def checked_vault_image(text):
    """The bytes of `vault_image`. Raises ValueError saying what it held and what is allowed."""
    try:
        data = unhexlify(text) if isinstance(text, str) else None
    except ValueError:
        data = None
    if data is None or len(data) > VAULT_BYTES:
        held = f"{text[:16]!r}..., {len(text)} characters" if isinstance(text, str) else repr(text)
        raise ValueError(f"vault_image is {held}; an even number of hex digits, at most {2 * VAULT_BYTES}, is wanted")
    return data


def checked_pump(given):
    """The pump's settings with defaults filled in. Raises ValueError naming the key, what it held and what
    is allowed.
    """
    pump = dict(PUMP_DEFAULTS)
    for key in given:
        if key not in PUMP_DEFAULTS:
            raise ValueError("pump.{} is not known; allowed: {}".format(key, ", ".join(sorted(PUMP_DEFAULTS))))
        value = given[key]
        if key == "syringe":
            if value not in SYRINGES:
                raise ValueError("pump.syringe is {!r}; allowed: {}".format(value, ", ".join(sorted(SYRINGES))))
        else:
            if not is_number(value):
                raise ValueError(f"pump.{key} is {value!r}; a number is wanted")
            if value < 0 and key not in _MAY_BE_NEGATIVE:
                raise ValueError(f"pump.{key} is {value!r}; 0 or more is wanted")
            if value == 0 and key in _MUST_BE_POSITIVE:
                raise ValueError(f"pump.{key} is 0; more than 0 is wanted")
            value = float(value)
        pump[key] = value
    nominal_ul = SYRINGES[pump["syringe"]][0]
    if pump["fill_ml"] * 1000 > nominal_ul:
        raise ValueError(
            "pump.fill_ml is {}; syringe {} holds {} mL".format(pump["fill_ml"], pump["syringe"], nominal_ul / 1000)
        )
    return pump
