"""Reads: owned numbers, searches, accounts and countries, from whichever family has them."""
