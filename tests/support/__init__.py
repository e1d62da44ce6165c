"""Helpers of the tests: everything under tests/ that is neither a test nor a benchmark."""
