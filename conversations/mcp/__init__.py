"""The Model Context Protocol server of Conclave, at `/mcp`."""
