"""One operation from its caller to its answer: admitted, planned or run, or followed."""
