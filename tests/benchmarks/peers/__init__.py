"""Other ways to serve the same operations: each answers the same query with equal data."""
