"""Test port of the simulated board, not of any chip: flips one bit of a dose variable in RAM. Never part of an image.

A fault of the memory cannot be made through a chip or a pin, so this port reaches into the firmware that runs. It only
flips: no value goes back to the world or to a test. `names` is what `cisterna sim --list-flips` prints.
"""

_NUMBER = 30  # bits of a small int of the RP2040, without its sign
_FLAG = 1
_MS = 10
_FEW = 3  # states, accounts

_STREAMS = ("basal", "pca", "clinician")
_ACCOUNTS = ("basal", "pca", "clinician", "prime", "excess", "credit")
_INSTANT = ("s", "ms")
_AT = {
    "basal": (0,),
    "pca": (1,),
    "clinician": (2,),
    "prime": (3,),
    "excess": (4,),
    "credit": (5,),
    "s": (0,),
    "ms": (1,),
    "to": (0,),
    "from": (1,),
}
_AT.update({"1h": (0, 1), "4h": (1, 1), "24h": (2, 1), "per_h": (0, 1), "per_24h": (1, 1)})

# part -> the object that owns its variables, or None while there is none
_PARTS = {
    "loop": lambda loop: loop,
    "clock": lambda loop: loop.pump.therapy.clock,
    "motion": lambda loop: loop.pump.therapy.motion,
    "schedule": lambda loop: loop.pump.therapy.motion.schedule,
    "ledger": lambda loop: loop.pump.therapy.ledger,
    "reservoir": lambda loop: loop.pump.therapy.reservoir,
    "fluids": lambda loop: loop.pump.therapy.fluids,
    "lockouts": lambda loop: loop.pump.therapy.lockouts,
    "boluses": lambda loop: loop.pump.therapy.history.boluses,
    "rates": lambda loop: loop.pump.therapy.history.rates,
    "pca": lambda loop: loop.pump.therapy.pca,
    "clinician": lambda loop: loop.pump.therapy.clinician,
    "therapy": lambda loop: loop.pump.therapy,
    "rx": lambda loop: loop.pump.therapy.rx,
    "limits": lambda loop: loop.pump.therapy.limits,
    "basal": lambda loop: loop.pump.prescription_change.basal,
    "priming": lambda loop: loop.pump.priming,
}

# part, fields, the names of a field's elements ("" for a plain int), bits of each
_TABLE = (
    ("loop", ("ticks", "due"), ("",), _NUMBER),
    ("clock", ("s",), ("",), _NUMBER),
    ("clock", ("ms",), ("",), _MS),
    ("motion", ("commanded", "flight_ms", "steps", "s"), ("",), _NUMBER),
    ("motion", ("ms",), ("",), _MS),
    ("motion", ("account", "phase"), ("",), _FEW),
    ("motion", ("in_flight", "forward"), ("",), _FLAG),
    ("schedule", ("wait_us", "whole_us", "part", "parts", "carry", "left"), _STREAMS, _NUMBER),
    ("schedule", ("planned", "saved_wait", "saved_carry", "saved_left"), _STREAMS, _NUMBER),
    ("schedule", ("held",), _STREAMS, _FLAG),
    ("schedule", ("max_steps", "steps"), ("",), _NUMBER),
    ("ledger", ("pl_step", "concentration_ug_per_ml"), ("",), _NUMBER),
    ("ledger", ("usteps", "base", "folded_nl", "folded_ng"), _ACCOUNTS, _NUMBER),
    ("reservoir", ("fill_nl", "mark_nl", "low_at", "empty_at"), ("",), _NUMBER),
    ("fluids", ("drug", "ug_per_ml", "line_drug", "line_ug_per_ml", "line_basal_ug_per_day"), ("",), _NUMBER),
    ("fluids", ("front_mark", "tip_basal_ug_per_day", "through", "late", "next"), ("",), _NUMBER),
    ("fluids", ("unnamed", "as_prescribed", "is_other_drug"), ("",), _FLAG),
    ("fluids", ("equivalence",), ("to", "from"), _NUMBER),
    ("lockouts", ("pca_end", "any_end", "pca_until", "any_until"), ("s",), _NUMBER),
    ("lockouts", ("pca_end", "any_end", "pca_until", "any_until"), ("ms",), _MS),
    ("boluses", ("first", "count"), ("",), 11),
    ("rates", ("first", "count"), ("",), 6),
    ("pca", ("usteps", "mass_ng", "made_ng", "duration_ms", "mark"), ("",), _NUMBER),
    ("pca", ("started", "end"), ("s",), _NUMBER),
    ("pca", ("active",), ("",), _FLAG),
    ("clinician", ("usteps", "mass_ng", "made_ng", "duration_ms", "mark"), ("",), _NUMBER),
    ("clinician", ("started", "end", "suspended"), ("s",), _NUMBER),
    ("clinician", ("active",), ("",), _FLAG),
    ("therapy", ("state",), ("",), _FEW),
    ("therapy", ("needs_rx", "in_force", "started", "primed", "rx_slot"), ("",), _FLAG),
    ("therapy", ("sequence", "converted_s", "flow_nl_per_h", "prime_mark_nl"), ("",), _NUMBER),
    ("rx", ("concentration_ug_per_ml", "basal_ug_per_day", "flow_nl_per_h", "bolus_ug"), ("",), _NUMBER),
    ("rx", ("bolus_duration_s", "lockout_s", "max_boluses_per_h", "max_boluses_per_24h"), ("",), _NUMBER),
    ("rx", ("limit_1h_ug", "limit_4h_ug", "limit_24h_ug"), ("",), _NUMBER),
    ("rx", ("fill_ul", "deadspace_ul", "compliance_nl_per_kpa", "sequence"), ("",), _NUMBER),
    ("limits", ("basal_ug_per_day",), ("",), _NUMBER),
    ("limits", ("windows",), ("1h", "4h", "24h"), _NUMBER),
    ("limits", ("counts",), ("per_h", "per_24h"), _NUMBER),
    ("basal", ("whole_us", "part", "parts"), ("",), _NUMBER),
    ("priming", ("usteps_left", "period_us", "probe_left", "start_pa"), ("",), _NUMBER),
    ("priming", ("is_connected",), ("",), _FLAG),
)  # fmt: skip


def names():
    """(name, bits) of each dose variable."""
    found = []
    for part, fields, elements, bits in _TABLE:
        for field in fields:
            for element in elements:
                found.append((part + "." + field + ("." + element if element else ""), bits))
    return found


def check(name, bit):
    """Raises ValueError, with what is allowed, for a name or a bit that there is none of."""
    bits = dict(names()).get(name)
    if bits is None:
        raise ValueError(f"flip.name is {name!r}; allowed: what `cisterna sim --list-flips` lists")
    if isinstance(bit, bool) or not isinstance(bit, int) or not 0 <= bit < bits:
        raise ValueError(f"flip.bit is {bit!r}; allowed for {name}: 0 to {bits - 1}")


class FlipPort:
    """Of one simulated board. `watch` a `main` module before it runs; `flip` acts on the loop that it has made last."""

    def __init__(self):
        self._loop = None

    def watch(self, main):
        """Remembers the Loop that this `main` makes."""
        make = getattr(main, "Loop", None)

        def made(*arguments):
            self._loop = make(*arguments)
            return self._loop

        if make:  # else a firmware of its own, of a test
            main.Loop = made

    def power_lost(self):
        """The firmware has ended: there is no RAM to flip a bit in."""
        self._loop = None

    def flip(self, name, bit):
        """Flips a bit. Nothing happens while the pump has no such variable: no power, no prescription."""
        check(name, bit)
        part, field, *element = name.split(".")
        owner = self._loop and _PARTS[part](self._loop)
        if owner is None:
            return
        if not hasattr(owner, field):
            field = "_" + field
        value = getattr(owner, field)
        if value is None:  # a bolus that is not suspended
            return
        setattr(owner, field, _flipped(value, _AT[element[0]] if element else (), bit))


def _flipped(value, path, bit):
    """`value` with the bit of the int at `path` in it flipped. A list is changed in place."""
    if not path:
        return (not value) if isinstance(value, bool) else value ^ 1 << bit
    inner = _flipped(value[path[0]], path[1:], bit)
    if isinstance(value, list):
        value[path[0]] = inner
        return value
    return value[: path[0]] + (inner,) + value[path[0] + 1 :]
