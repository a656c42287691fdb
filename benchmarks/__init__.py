"""Speed and size measurements, each with a limit (see README.md)."""
