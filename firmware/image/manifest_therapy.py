# ruff: noqa: F821  (the reader of the manifest defines its functions)
# The therapy image: the firmware, and an empty start.
include("manifest.py")
module("_boot.py", base_path="$(BOARD_DIR)/../therapy")
