"""Runs before everything else, and has nothing to do: no file system, so that only frozen code can run."""
