"""Tests of the gateway, over real HTTP against the sandbox."""
