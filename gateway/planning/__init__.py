"""What an operation will cost upstream, before it runs."""
