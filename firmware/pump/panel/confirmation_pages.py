"""What the display shows before START confirms it: every value of a prescription, in pages of six rows [RX-01, H01].

Blocks of rows that belong together stay on one page. No value is shortened: a long text takes further rows.
"""

from pump.base.units import const
from pump.panel.wording import NAMES, ROUTES, WIDTH, flow, span_exact, thousandths

ROWS = const(6)  # of a page; the display's first row has the state or an alarm, the last one what START does


def wrapped(text):
    """`text` in rows of at most WIDTH characters."""
    return [text[at : at + WIDTH] for at in range(0, len(text), WIDTH)]


def field(name, value):
    """Name and value (str) in one row, or the value in the row below if they do not fit."""
    row = name + " " + value
    return [row] if len(row) <= WIDTH else [name, value]


def _mass(name, ug):
    """A limit in ug, or "none" where there is none."""
    return field(name, "%d mcg" % ug if ug else "none")


def _count(name, most):
    return field(name, "%d" % most if most else "none")


def _fluid(rx):
    place = field(ROUTES.get(rx.route, rx.route), rx.site)
    return [NAMES.get(rx.drug, rx.drug), "%d mcg/mL" % rx.concentration_ug_per_ml] + place


def _basal(rx, old):
    """`old`: the prescription that is replaced, or None; its basal is shown if the drug is the same [H07]."""
    if not rx.basal_ug_per_day:
        rows = ["BASAL none"]
    else:
        rows = ["BASAL", "%d mcg/day" % rx.basal_ug_per_day, "= %s mg/day" % thousandths(rx.basal_ug_per_day)]
        rows.append(flow(rx.flow_nl_per_h))
    if old is not None and old.drug == rx.drug and old.basal_ug_per_day != rx.basal_ug_per_day:
        rows += field("was", "%d mcg/day" % old.basal_ug_per_day)
    return rows


def _bolus(rx):
    rows = field("BOLUS", "%d mcg" % rx.bolus_ug if rx.bolus_ug else "none")
    return rows + field("over", span_exact(rx.bolus_duration_s)) + field("lockout", span_exact(rx.lockout_s))


def _syringe(rx):
    rows = field("SYRINGE", rx.syringe) + field("fill", thousandths(rx.fill_ul) + " mL")
    rows += field("dead space", "%d uL" % rx.deadspace_ul)
    return rows + field("compliance", thousandths(rx.compliance_nl_per_kpa) + " uL/kPa")


def _warnings(rx):
    """What the prescription exceeds, and by whose leave [LIB-03, H05]."""
    blocks = []
    for code, most in rx.soft_limits:
        blocks.append(["! SOFT LIMIT", code, "%d mcg/day" % most, "is overridden"])
    if rx.is_overridden:
        blocks.append(["! FIRST DOSE", "above ceiling:", "overridden by", "a second person"])
    return blocks


def prescription_pages(rx, old):
    """The pages of a staged prescription, each a list of at most ROWS rows. `old`: the one in force before, or None.

    The hash has 8 digits, 32 bits: enough to tell this document from any other that its two signers have signed. What
    keeps a forged one out is the signatures over all of it, not the digits that people compare.
    """
    equivalent = "%d mcg/day" % rx.equiv_prev_ug_per_day if rx.equiv_prev_ug_per_day else "none"
    blocks = [_fluid(rx), field("patient", rx.patient), field("pump", rx.serial), _basal(rx, old), _bolus(rx)]
    blocks.append(
        ["BOLUSES AT MOST"] + _count("in 1 h", rx.max_boluses_per_h) + _count("in 24 h", rx.max_boluses_per_24h)
    )
    limits = _mass("in 1 h", rx.limit_1h_ug) + _mass("in 4 h", rx.limit_4h_ug) + _mass("in 24 h", rx.limit_24h_ug)
    blocks += [["ALL DRUG AT MOST"] + limits, _syringe(rx), field("equivalence", equivalent)]
    blocks += _warnings(rx)
    blocks.append(field("number", "%d" % rx.sequence) + field("hash", rx.hash8))
    return _paged(blocks)


def _paged(blocks):
    pages = [[]]
    for block in blocks:
        rows = [part for row in block for part in wrapped(row)]
        if pages[-1] and len(pages[-1]) + len(rows) > ROWS:
            pages.append([])
        for row in rows:  # a block that is longer than a page goes on on the next one
            if len(pages[-1]) == ROWS:
                pages.append([])
            pages[-1].append(row)
    return pages


def order_rows(order, rx):
    """The one page of a clinician's bolus: ORDER waits only under `rx`, the prescription in force."""
    rows = ["CLINICIAN BOLUS"] + wrapped(NAMES.get(rx.drug, rx.drug))[:2] + ["%d mcg" % order.ug]
    return rows + field("over", span_exact(order.over_s))
