"""Boluses: the dose history of 24 h, lockout, counts and rolling limits, the decision, and the running bolus."""
