# ruff: noqa: F821  (the words of a manifest are defined by whoever reads it)
# The development image: the firmware, its file system, and a start that can be interrupted.
include("manifest.py")
module("_boot.py", base_path="$(BOARD_DIR)/../development")
module("start.py", base_path="$(BOARD_DIR)/../development")
