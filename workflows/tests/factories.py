"""Factories of workflows."""
