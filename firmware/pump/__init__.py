"""The therapy: plain integers in, decisions out; no machine, no files, no clock of its own."""
