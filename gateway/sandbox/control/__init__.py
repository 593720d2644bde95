"""How tests and demos look into the sandbox and arrange things."""
