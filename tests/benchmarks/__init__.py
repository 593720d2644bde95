"""Speed of the gateway beside other GraphQL servers and a plain proxy: see README.md."""
