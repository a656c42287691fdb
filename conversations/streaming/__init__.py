"""Streamed answers, of one agent or of several."""
