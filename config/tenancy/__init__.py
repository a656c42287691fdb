"""Tenancy: the current scope, scoped managers, base models and system checks."""
