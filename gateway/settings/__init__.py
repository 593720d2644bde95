"""The operator's settings: what there is, where values come from, and their reference."""
