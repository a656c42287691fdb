"""Guarded HTTP client for URLs that tenants provide."""
