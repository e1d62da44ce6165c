"""Target `rp2040`: the simulated world wired to the pins of an RP2040 in software that runs the real image."""
