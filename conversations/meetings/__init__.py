"""Meetings of experts."""
