"""One chip, one file. Each talks only through `machine` and `rp2`, and knows nothing of therapy."""
