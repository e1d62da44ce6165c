"""Target `rp2040`: an emulated RP2040 that runs the real image, wired to the simulated world."""
