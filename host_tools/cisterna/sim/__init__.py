"""Scenario files: read one, play it on a target, say what happened."""
