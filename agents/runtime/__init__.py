"""Running agents: models, providers and prices. Heavy libraries are imported inside functions, never at the top."""
