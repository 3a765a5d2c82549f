"""Triage as a tool: whole files on the command line, and texts over the API."""
