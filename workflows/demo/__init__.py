"""The demo: samples that every installation may try, and a made-up history of half a year at any scale.

The history is the same for the same seed, whatever the day: it ends at `world.UNTIL`, and its ids are made
from the seeded generator at each row's own time.
"""
