"""Scenario files: read one, play it on a target, report the result."""
