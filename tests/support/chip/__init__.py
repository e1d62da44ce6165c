"""The emulated RP2040: its images, its prompt, its traces, and the heap proof."""
