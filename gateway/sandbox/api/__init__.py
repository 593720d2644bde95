"""The endpoints of both families."""
