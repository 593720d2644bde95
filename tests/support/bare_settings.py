"""Settings for tests: made of what a test chooses and the environment, without any `.env`."""

from typing import Any

from gateway.settings.loading import load
from gateway.settings.model import Settings


def bare_settings(**chosen: Any) -> Settings:
    """Return settings; raises `SettingsUnusable` for what they cannot be."""
    return load(chosen, dotenv=None)
