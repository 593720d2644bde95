"""Streams as a test reads them: server-sent events over HTTP, and operations over a WebSocket."""

import base64
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import httpx
from websockets.sync.client import ClientConnection, connect

from tests.support.gateway_in_thread import RunningGateway
from tests.support.sandbox_in_thread import SandboxAccount
from tests.support.waiting import PATIENCE

CHANGES = """subscription Changes($account: ID, $sids: [ID!]) {
  phoneNumberChanged(accountSid: $account, sids: $sids) {
    id kind accountSid numberId number phoneNumber { sid friendlyName account { sid } }
  }
}"""


class Frame(NamedTuple):
    """A server-sent event; a comment has neither name nor data."""

    event: str
    id: str | None
    data: Any
    comment: str = ""


class EventStream:
    """A response that is read frame by frame."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._lines = response.iter_lines()

    def frame(self) -> Frame:
        """Return the next frame."""
        fields: dict[str, str] = {}
        for line in self._lines:
            if not line:
                break
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
        else:
            raise EOFError
        data = fields.get("data")
        return Frame(
            fields.get("event", ""), fields.get("id"), data and json.loads(data), fields.get("", "")
        )

    def confirmed(self) -> None:
        """Return when the subscription is in force."""
        end = time.monotonic() + PATIENCE
        while self.frame().comment != "following":
            assert time.monotonic() < end, "it does not come into force"

    def next(self) -> Frame:
        """Return the next frame that is no comment."""
        end = time.monotonic() + PATIENCE
        while not (frame := self.frame()).event:
            assert time.monotonic() < end, "nothing comes but comments"
        return frame

    def change(self) -> dict[str, Any]:
        """Return the next change."""
        frame = self.next()
        assert frame.event == "next", frame
        assert "errors" not in frame.data, frame.data
        change: dict[str, Any] = frame.data["data"]["phoneNumberChanged"]
        assert frame.id == change["id"]
        return change


def number_of(event_id: str) -> int:
    """Return where an event stands among those of its account."""
    return int(event_id.rpartition("-")[2])


@contextmanager
def events(
    gateway: RunningGateway,
    query: str = CHANGES,
    *,
    account: SandboxAccount,
    headers: Mapping[str, str] | None = None,
    variables: Mapping[str, Any] | None = None,
) -> Iterator[EventStream]:
    """Run an operation as a stream of server-sent events; subscriptions are in force then."""
    with gateway.http.stream(
        "POST",
        f"{gateway.url}/graphql",
        json={"query": query, "variables": variables or {}},
        headers={"accept": "text/event-stream", **(headers or {})},
        auth=account.auth,
        timeout=PATIENCE,
    ) as response:
        yield EventStream(response)


class Socket:
    """A WebSocket that speaks graphql-transport-ws."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    def send(self, kind: str, **fields: Any) -> None:
        """Send a message."""
        self.connection.send(json.dumps({"type": kind, **fields}))

    def receive(self) -> dict[str, Any]:
        """Return the next message."""
        message: dict[str, Any] = json.loads(self.connection.recv(timeout=PATIENCE))
        return message

    def init(self, account: SandboxAccount) -> None:
        """Introduce oneself."""
        self.send("connection_init", payload=credentials(account))
        assert self.receive() == {"type": "connection_ack"}

    def subscribe(self, name: str, query: str, **variables: Any) -> None:
        """Run an operation."""
        self.send("subscribe", id=name, payload={"query": query, "variables": variables})


@contextmanager
def socket(
    gateway: RunningGateway, *, subprotocol: str = "graphql-transport-ws", **options: Any
) -> Iterator[Socket]:
    """Open a WebSocket."""
    url = gateway.url.replace("http", "ws", 1) + "/graphql"
    with connect(url, subprotocols=[subprotocol], proxy=None, **options) as connection:  # type: ignore[list-item]
        yield Socket(connection)


def credentials(account: SandboxAccount) -> dict[str, str]:
    """Return an account's credentials as a header."""
    user = base64.b64encode(":".join(account.auth).encode()).decode()
    return {"Authorization": f"Basic {user}"}


def available(gateway: RunningGateway) -> str:
    """Return a number that can be bought."""
    found = gateway.query(
        "{ availablePhoneNumbers(country: US, first: 1) { nodes { phoneNumber } } }"
    )
    number: str = found["availablePhoneNumbers"]["nodes"][0]["phoneNumber"]
    return number


def mutate(gateway: RunningGateway, account: SandboxAccount, field: str, **values: Any) -> Any:
    """Run a mutation that must be done; return its payload."""
    kind = field[0].upper() + field[1:] + "Input"
    wanted = (
        "releasedId"
        if field.startswith("release")
        else "phoneNumber { sid phoneNumber friendlyName }"
    )
    data = gateway.query(
        f"mutation ($input: {kind}!) {{ {field}(input: $input) {{ {wanted} userErrors {{ message }} }} }}",
        {"input": values},
        account=account,
    )
    assert data[field]["userErrors"] == []
    return data[field]


def buy(gateway: RunningGateway, account: SandboxAccount) -> dict[str, Any]:
    """Buy some number and return it."""
    number = available(gateway)
    bought: dict[str, Any] = mutate(gateway, account, "purchasePhoneNumber", phoneNumber=number)
    return bought["phoneNumber"]  # type: ignore[no-any-return]
