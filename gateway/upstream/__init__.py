"""A simple REST client per upstream family."""
