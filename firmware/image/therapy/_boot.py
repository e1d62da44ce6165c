"""Runs first, and does nothing: it mounts no file system, so that only frozen code can run."""
