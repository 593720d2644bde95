"""From an operation to its response: compiled, projected, or by graphql-core."""
