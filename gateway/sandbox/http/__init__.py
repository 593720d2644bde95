"""A request to the number API on its way in, and its answer on its way out."""
