"""A GraphQL gateway over Twilio's phone-number REST APIs.

This package serves the schema (`schema/`): settings, upstream client, loaders, endpoint, sandbox.
"""

__version__ = "0.2.0"
