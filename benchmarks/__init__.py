"""Measurements of speed and size, each a ratio or a bound that the project promises (see README.md)."""
