"""The gateway as any ASGI server runs it, without what `serve` does below ASGI."""

from starlette.applications import Starlette

from gateway import app
from gateway.settings.loading import load


def create_app() -> Starlette:
    """Return the gateway's application; the settings are environment variables."""
    return app.create_app(load({}))
