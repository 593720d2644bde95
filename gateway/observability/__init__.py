"""What operators see: metrics, traces, logs and health."""
