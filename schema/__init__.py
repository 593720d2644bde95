"""The GraphQL schema that clients see."""
