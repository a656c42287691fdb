"""Completions for the OpenAI and Anthropic wire formats."""
