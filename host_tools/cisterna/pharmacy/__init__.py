"""Where doses are written and signed: documents, keys, signatures, provisioning. Nothing talks to a pump."""
