"""From text to a validated document, with its limits, price and age; persisted and trusted ones."""
