"""Signed documents: exact syntax, signature, and the documents of people, drug library and provisioning."""
