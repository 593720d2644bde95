"""What several processes share: in memory, or in Redis or Valkey."""
