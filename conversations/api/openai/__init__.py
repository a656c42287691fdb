"""OpenAI's wire format, for its unmodified clients. Source: the types of the package `openai`."""
