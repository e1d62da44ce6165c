"""The `[pump]` keys of a scenario file, from which the world is built: defaults and checks."""

from binascii import unhexlify

VAULT_BYTES = 0x10000
LARGEST = 1_000_000  # magnitude of any figure that is given to the world; with larger ones its pressures overflow

MOST_CPU_MS = 1000  # with more, the internal watchdog bites in the self-test

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
    "compliance_known_as": 9.0,  # the pump's configured value; the world does not use it
    "deadspace_ul": 300.0,
    "catheter_ul": 0.0,
    "resistance_kpa_per_ml_h": 0.65,
    "tip_kpa": 1.3,
    "movement_kpa": 0.0,
    "bore_error_percent": 0.0,
    "pitch_error_um": 1.5,
    "backlash_um": 20.0,
    "stick_slip_um": 2.0,
    "pressure_noise_kpa": 0.02,
    "encoder_inl_deg": 1.0,
    "cpu_ms_per_wake": 0.0,  # of the simulated board; the emulated chip has a CPU of its own
}

_MUST_BE_POSITIVE = ("fill_ml", "compliance_ul_per_kpa", "deadspace_ul", "resistance_kpa_per_ml_h")
_MAY_BE_NEGATIVE = ("tip_kpa", "bore_error_percent")


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def checked_vault_image(text):
    """The bytes of `vault_image`, from hex. ValueError with the value and what is allowed."""
    try:
        data = unhexlify(text) if isinstance(text, str) else None
    except ValueError:
        data = None
    if data is None or len(data) > VAULT_BYTES:
        held = f"{text[:16]!r}..., {len(text)} characters" if isinstance(text, str) else repr(text)
        allowed = f"an even number of hex digits, at most {2 * VAULT_BYTES}, is wanted"
        raise ValueError(f"vault_image is {held}; {allowed}")
    return data


def checked_pump(given):
    """The `[pump]` settings `given`, with defaults. ValueError with the key, its value and what is allowed."""
    pump = dict(PUMP_DEFAULTS)
    for key in given:
        if key not in PUMP_DEFAULTS:
            raise ValueError("pump.{} is not known; allowed: {}".format(key, ", ".join(sorted(PUMP_DEFAULTS))))
        value = given[key]
        if key == "syringe":
            if value not in SYRINGES:
                raise ValueError("pump.syringe is {!r}; allowed: {}".format(value, ", ".join(sorted(SYRINGES))))
        else:
            if not is_number(value) or not -LARGEST <= value <= LARGEST:
                raise ValueError(f"pump.{key} is {value!r}; allowed: a number, at most {LARGEST}")
            if value < 0 and key not in _MAY_BE_NEGATIVE:
                raise ValueError(f"pump.{key} is {value!r}; allowed: 0 or more")
            if value == 0 and key in _MUST_BE_POSITIVE:
                raise ValueError(f"pump.{key} is 0; allowed: more than 0")
            if key == "cpu_ms_per_wake" and value > MOST_CPU_MS:
                raise ValueError(f"pump.{key} is {value!r}; allowed: 0 to {MOST_CPU_MS}")
            value = float(value)
        pump[key] = value
    if pump["catheter_ul"] >= pump["deadspace_ul"]:
        raise ValueError(
            "pump.catheter_ul is {}; allowed: less than deadspace_ul, {}".format(
                pump["catheter_ul"], pump["deadspace_ul"]
            )
        )
    nominal_ul = SYRINGES[pump["syringe"]][0]
    if pump["fill_ml"] * 1000 > nominal_ul:
        raise ValueError(
            "pump.fill_ml is {}; syringe {} holds {} mL".format(pump["fill_ml"], pump["syringe"], nominal_ul / 1000)
        )
    return pump
