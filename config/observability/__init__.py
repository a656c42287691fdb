"""Traces, metrics, and logs without secrets."""
