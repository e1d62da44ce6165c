"""Which chip sits on which pin, one file a board; `wiring` is what they share."""
