"""When to hand over, and why."""
