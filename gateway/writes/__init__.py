"""Writes: done once, and told truly."""
