"""What the five schema documents asked for, and where it is: the files in `docs/schema/`."""
