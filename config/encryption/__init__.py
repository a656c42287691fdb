"""Envelope encryption: key ring, encrypted model fields and files of secrets."""
