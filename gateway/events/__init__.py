"""Changes of numbers: kept in a log, found by polling, followed by subscribers."""
