"""Date formats of the console."""
