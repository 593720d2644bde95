"""What users feel: `python -m tests.benchmarks.latency`. See `__main__`."""
