"""The desk: everything after a conversation needs a person."""
