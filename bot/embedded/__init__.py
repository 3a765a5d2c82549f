"""The real redis-server and PostgreSQL that come in wheels, started beside Frontdesk and ended with it."""
