# ruff: noqa: F821  (the reader of the manifest defines its functions)
# Frozen into both images: the firmware, and nothing else. The build refuses an import that is neither one of these
# files nor a module of the port.
FIRMWARE = "$(BOARD_DIR)/../.."

package("pump", base_path=FIRMWARE)
package("drivers", base_path=FIRMWARE)
package("boards", files=("__init__.py", "pico.py", "pump_board.py", "wiring.py"), base_path=FIRMWARE)
module("main.py", base_path=FIRMWARE)
module("board.py", base_path="$(BOARD_DIR)/../frozen")
module("build_info.py", base_path="$(CISTERNA_MADE)")
module("rp2.py", base_path="$(PORT_DIR)/modules")
