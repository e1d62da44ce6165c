"""What was given, apart by kind, as whole microsteps: the pump's own account.

Motion is booked when it is granted, before it is made, so that after any cut booked >= pumped; a grant that ends early
gives its unmade steps back. Counters only grow. When the volume of a step or the concentration changes, what was
counted so far is folded into nanolitres and nanograms, rounded up, and counting goes on from there.

Booking and giving back run in the delivery tick: no allocation, counters stay below 2^30.
"""

from pump.units import const, mass_ng_of_usteps, volume_nl_of_usteps

BASAL = const(0)
PCA = const(1)
CLINICIAN = const(2)
PRIME = const(3)  # fills the line before the patient is connected: in no total of the therapy
EXCESS = const(4)  # what the encoder saw beyond the commanded steps
CREDIT = const(5)  # taken back from the line after an occlusion, less the lash allowance
ACCOUNTS = const(6)

THERAPY = (BASAL, PCA, CLINICIAN, EXCESS)  # sum of these - CREDIT = booked


class Ledger:
    """Microsteps by account. `usteps[k]` ever, `base[k]` at the last fold; `folded_*` what came before it."""

    def __init__(self):
        self.usteps = [0] * ACCOUNTS
        self.base = [0] * ACCOUNTS
        self.folded_nl = [0] * ACCOUNTS
        self.folded_ng = [0] * ACCOUNTS
        self.pl_step = 1
        self.concentration_ug_per_ml = 0

    def book(self, account, usteps):
        """Books steps ahead of their motion."""
        self.usteps[account] += usteps

    def book_grant(self, planned):
        """Books a grant of the schedule ahead of its motion: the steps of basal, PCA and clinician bolus."""
        u = self.usteps
        u[BASAL] += planned[BASAL]
        u[PCA] += planned[PCA]
        u[CLINICIAN] += planned[CLINICIAN]

    def give_back(self, account, usteps):
        """Takes back steps that were granted but not made."""
        self.usteps[account] -= usteps

    def give_back_grant(self, planned):
        """Takes back what `book_grant` booked."""
        u = self.usteps
        u[BASAL] -= planned[BASAL]
        u[PCA] -= planned[PCA]
        u[CLINICIAN] -= planned[CLINICIAN]

    def set_fluid(self, pl_step, concentration_ug_per_ml):
        """Another syringe or concentration from now on: folds what was counted under the old one."""
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
        """Everything given to the patient, in nL."""
        return sum(self.volume_nl(k) for k in THERAPY) - self.volume_nl(CREDIT)

    def booked_ng(self):
        """Everything given to the patient, in ng."""
        return sum(self.mass_ng(k) for k in THERAPY) - self.mass_ng(CREDIT)

    def drawn_usteps(self):
        """Microsteps that left the syringe ever: therapy and priming, less what was taken back. No allocation."""
        u = self.usteps
        return u[BASAL] + u[PCA] + u[CLINICIAN] + u[EXCESS] + u[PRIME] - u[CREDIT]
