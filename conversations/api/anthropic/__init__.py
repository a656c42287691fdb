"""Anthropic's Messages format, for its unmodified clients. Source: the types of the package `anthropic`."""
