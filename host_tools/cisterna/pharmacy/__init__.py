"""Writes and signs doses: documents, keys, signatures, provisioning. Nothing here talks to a pump."""
