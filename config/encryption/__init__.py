"""Envelope encryption: key ring and encrypted model fields."""
