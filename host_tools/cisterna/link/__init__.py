"""The link to a pump: JSON-RPC in numbered, checksummed lines, and the records read over it."""
