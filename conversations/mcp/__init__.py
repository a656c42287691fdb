"""Conclave as a server of the Model Context Protocol, at `/mcp`."""
