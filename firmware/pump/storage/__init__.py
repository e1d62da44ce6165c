"""What survives a power cut: journals in FRAM, the record log and the document vault in flash."""
