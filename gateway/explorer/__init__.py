"""The explorer: GraphiQL with this API's examples, upstream panel, table and map."""

from gateway.explorer.routes import explorer_routes
from gateway.explorer.sandbox_menu import sandbox_routes

__all__ = ["explorer_routes", "sandbox_routes"]
