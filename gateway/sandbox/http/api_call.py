"""One request to the number API, as the endpoints see it."""

from dataclasses import dataclass

from gateway.sandbox.http.credentials import Credentials

Pairs = list[tuple[str, str]]
"""Parameters in order of arrival, repeated names and all."""


@dataclass(frozen=True, slots=True)
class ApiCall:
    """A request whose body has arrived. Parameter names are case-sensitive."""

    method: str
    path: str
    """As the client wrote it, extension and all."""
    base_url: str
    query: Pairs
    form: Pairs
    credentials: Credentials
    xml: bool

    def get(self, name: str) -> str | None:
        """The last value of a query parameter."""
        return dict(self.query).get(name)

    def all(self, name: str) -> list[str]:
        """Every value of a query parameter."""
        return [value for key, value in self.query if key == name]

    def flag(self, name: str) -> bool | None:
        """A boolean query parameter; anything but `true` and `false` counts as not given."""
        return {"true": True, "false": False}.get((self.get(name) or "").lower())

    def sent(self, name: str) -> str | None:
        """The last value of a form parameter."""
        return dict(self.form).get(name)
