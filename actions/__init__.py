"""Custom actions, one topic a file."""
