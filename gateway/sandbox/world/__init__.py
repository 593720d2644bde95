"""What exists: accounts, the numbers they own and those they can buy, in SQLite."""
