"""The gateway as any ASGI server runs it, without what `serve` does below ASGI."""

from gateway import app
from gateway.settings.loading import load
from gateway.transport.asgi_application import Application


def create_app() -> Application:
    """Return the gateway's application; the settings are environment variables."""
    return app.create_app(load({}))
