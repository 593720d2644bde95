"""The REST client: calls that are shared, bounded in number and time, and tried again safely."""
