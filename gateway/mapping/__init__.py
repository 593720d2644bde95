"""GraphQL names to REST names and back, as tables."""
