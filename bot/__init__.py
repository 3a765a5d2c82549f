"""The assistant: everything between a customer's message and the log."""
