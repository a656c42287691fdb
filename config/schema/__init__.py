"""Generated schema documentation and coverage of the five schema documents."""
