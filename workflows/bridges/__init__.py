"""Bridges to other libraries of agents. Each needs an optional package, which nothing else imports."""
