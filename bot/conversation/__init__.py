"""The spine: events, log, ownership, partitions. Imports neither rasa nor handoff."""
