"""What the number API allows: settings, trade, searches and patterns."""
