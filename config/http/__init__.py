"""Outgoing HTTP requests to addresses that users name: SSRF guard, limits and TLS."""
