"""Units, time, refusals, text checks and work in pieces: what every other room uses."""
