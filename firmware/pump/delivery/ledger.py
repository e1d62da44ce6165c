"""The ledger: whole microsteps given, one account for each kind of motion.

A grant is booked before it is made, so that after any power cut booked >= pumped; a grant that ends early gives its
unmade steps back. Otherwise counters only grow. When the volume of a step or the concentration changes, the count so
far is folded into nanolitres and nanograms, rounded up, and counting continues from there.

`book*` and `give_back*` run in the delivery tick: no allocation, counters stay below 2^30.
"""

from pump.base.units import const, mass_ng_of_usteps, volume_nl_of_usteps

BASAL = const(0)
PCA = const(1)
CLINICIAN = const(2)
PRIME = const(3)  # fills the line before the patient is connected: outside the therapy totals
EXCESS = const(4)  # motion that the encoder saw beyond the commanded steps
CREDIT = const(5)  # retracted from the line after an occlusion, less the lash allowance
ACCOUNTS = const(6)

THERAPY = (BASAL, PCA, CLINICIAN, EXCESS)  # sum of these - CREDIT = booked


class Ledger:
    """Usteps of account k: `usteps[k]` in all, `base[k]` at the last fold; `folded_*[k]`: volume and mass by then."""

    def __init__(self):
        self.usteps = [0] * ACCOUNTS
        self.base = [0] * ACCOUNTS
        self.folded_nl = [0] * ACCOUNTS
        self.folded_ng = [0] * ACCOUNTS
        self.pl_step = 1
        self.concentration_ug_per_ml = 0

    def restore(self, pl_step, concentration_ug_per_ml, usteps, base, folded_nl, folded_ng):
        """What FRAM has kept: the fluid, and lists with a value for each account."""
        self.pl_step, self.concentration_ug_per_ml = pl_step, concentration_ug_per_ml
        for k in range(ACCOUNTS):  # in place: the guard of the dose variables holds these lists
            self.usteps[k], self.base[k] = usteps[k], base[k]
            self.folded_nl[k], self.folded_ng[k] = folded_nl[k], folded_ng[k]

    def book(self, account, usteps):
        """Books `usteps` on an account, before their motion."""
        self.usteps[account] += usteps

    def book_grant(self, planned):
        """Books a grant of the schedule before its motion. `planned`: steps of basal, PCA and clinician bolus."""
        u = self.usteps
        u[BASAL] += planned[BASAL]
        u[PCA] += planned[PCA]
        u[CLINICIAN] += planned[CLINICIAN]

    def give_back(self, account, usteps):
        """Takes `usteps` that were granted but not made off an account."""
        self.usteps[account] -= usteps

    def give_back_grant(self, planned):
        """Takes a grant that `book_grant` booked off the accounts."""
        u = self.usteps
        u[BASAL] -= planned[BASAL]
        u[PCA] -= planned[PCA]
        u[CLINICIAN] -= planned[CLINICIAN]

    def set_fluid(self, pl_step, concentration_ug_per_ml):
        """Sets volume per ustep in pL and concentration; folds the counts so far at the old values."""
        if pl_step == self.pl_step and concentration_ug_per_ml == self.concentration_ug_per_ml:
            return
        for k in range(ACCOUNTS):
            self.folded_nl[k] = self.volume_nl(k)
            self.folded_ng[k] = self.mass_ng(k)
            self.base[k] = self.usteps[k]
        self.pl_step = pl_step
        self.concentration_ug_per_ml = concentration_ug_per_ml

    def volume_nl(self, account):
        """Volume of one account in nL, rounded up (a credit down)."""
        count = self.usteps[account] - self.base[account]
        if account == CREDIT:
            return self.folded_nl[account] + count * self.pl_step // 1000
        return self.folded_nl[account] + volume_nl_of_usteps(count, self.pl_step)

    def mass_ng(self, account):
        """Mass of one account in ng, rounded up (a credit down)."""
        count = self.usteps[account] - self.base[account]
        if account == CREDIT:
            return self.folded_ng[account] + count * self.pl_step * self.concentration_ug_per_ml // 1_000_000
        return self.folded_ng[account] + mass_ng_of_usteps(count, self.pl_step, self.concentration_ug_per_ml)

    def booked_nl(self):
        """Volume given to the patient, nL: therapy accounts less the credit."""
        return sum(self.volume_nl(k) for k in THERAPY) - self.volume_nl(CREDIT)

    def booked_ng(self):
        """Mass given to the patient, ng: therapy accounts less the credit."""
        return sum(self.mass_ng(k) for k in THERAPY) - self.mass_ng(CREDIT)

    def drawn_usteps(self):
        """Usteps drawn from all syringes: therapy and priming, less the credit. No allocation."""
        u = self.usteps
        return u[BASAL] + u[PCA] + u[CLINICIAN] + u[EXCESS] + u[PRIME] - u[CREDIT]

    def check_word(self):
        """See `base.dose_guard`, which has the lists."""
        return self.pl_step ^ self.concentration_ug_per_ml
