"""Bytes to GraphQL and back: HTTP, server-sent events, multipart and WebSocket."""
