"""The link to a host: line framing, requests, replies kept for a repeat, and the methods of JSON-RPC."""
