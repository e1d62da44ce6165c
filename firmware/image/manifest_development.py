# ruff: noqa: F821  (the reader of the manifest defines its functions)
# The development image: the firmware, its file system, and a start that Ctrl-C can interrupt.
include("manifest.py")
module("_boot.py", base_path="$(BOARD_DIR)/../development")
module("start.py", base_path="$(BOARD_DIR)/../development")
