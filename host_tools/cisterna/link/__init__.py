"""The line to the pump: framed JSON-RPC, and the records read over it."""
