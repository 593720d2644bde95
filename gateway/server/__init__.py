"""Processes that listen: uvicorn, workers, and limits below HTTP and WebSocket."""
