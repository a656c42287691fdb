"""Running agents: models, providers and prices. Heavy libraries are imported where they are used."""
