"""Delivery: step schedule, grants of motion, ledger, reservoir, priming, and back-off after an occlusion."""
