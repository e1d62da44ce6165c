"""A small valid scenario as text, and changed copies of it."""

THERAPY = """[pump]
syringe = "bd-10"
fill_ml = 10.0
[prescription]
drug = "test-fluid"
concentration_ug_per_ml = 1000
route = "intrathecal"
site = "lumbar"
basal_ug_per_day = 14400
bolus_ug = 100
bolus_duration_s = 120
lockout_s = 1800
"""
BASE = '\ntitle = "small"\nduration = "8h"\nseed = 1\n' + THERAPY + "limit_24h_ug = 20000\n"


def changed(old: str = "", new: str = "", more: str = "") -> str:
    """BASE with `old` replaced by `new`, then `more`."""
    assert old in BASE
    return BASE.replace(old, new, 1) + more if old else BASE + more


def at(do: str, *keys: str, t: str = "1h") -> str:
    return "\n".join([f'\n[[at]]\nt = "{t}"\ndo = "{do}"', *keys, ""])
