"""Demo data: samples, and a generated history of half a year at any scale.

The same seed gives the same history on any day: it ends at `world.UNTIL`, and ids come from the seeded
generator and the time of each row.
"""
