"""What earlier releases kept, and tests that this one reads it."""
