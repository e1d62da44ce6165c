# ruff: noqa: F821  (the words of a manifest are defined by whoever reads it)
# The therapy image: the firmware, and a start that has nothing to do.
include("manifest.py")
module("_boot.py", base_path="$(BOARD_DIR)/../therapy")
