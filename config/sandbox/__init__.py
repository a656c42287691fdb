"""Sandbox for untrusted commands and parsers, based on Linux namespaces."""
