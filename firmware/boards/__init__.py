"""The boards: one module each; `pump_board` and `wiring` are common to them."""
