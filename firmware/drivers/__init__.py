"""One driver per chip. A driver uses only `machine`, `rp2` and `pump.base.contacts`, and knows nothing of therapy."""
