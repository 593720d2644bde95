"""The port of the schema, implemented over reads, writes and events."""
