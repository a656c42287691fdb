"""The agent loop: turns, tools, approvals and recovery."""
