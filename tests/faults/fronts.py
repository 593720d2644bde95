"""A gateway for each way of saying who asks, its honest victim, and what intruders send to it."""

import base64
import json
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from gateway.app import Parts
from gateway.storage.store import MemoryStore
from gateway.transport.unsent import Unsent
from tests.support.gateway_in_thread import RunningGateway, running_gateway
from tests.support.sandbox_in_thread import RunningSandbox, SandboxAccount
from tests.support.tokens import AUDIENCE, ISSUER, SECRET, TOKENS_MODE, hand_made, token

MODES = ("pass-through", "tokens", "open")
Headers = dict[str, str]

# Small, so that a few clients reach them.
UNSENT = 512 * 1024
_SMALL: dict[str, Any] = {
    "backoff_base": 0.01,
    "breaker_pause": 0.05,
    "breaker_longest_pause": 0.1,
    "retry_budget": 1.0,
    "request_deadline": 10.0,
    "upstream_body_limit": 256 * 1024,
    "unsent_per_connection": UNSENT // 8,
    "unsent_per_caller": UNSENT // 2,
    "unsent_per_process": UNSENT,
    "subscriber_queue": 8,
    "connection_limit": 60,
    "token_leeway": 0.0,
}
# Entries of each memory. What is forgotten is found out again, so nothing may depend on more.
REMEMBERED = 8
_BY_MODULE = (
    "gateway.auth.authentication._MOST_KNOWN",
    "gateway.upstream.client._MOST_ACCOUNTS",
    "gateway.upstream.client._MOST_UNPROVEN",
    "gateway.documents.persisted._MOST",
)


@dataclass(frozen=True)
class Front:
    """What is attacked.

    Attributes:
        victim: who is to be served, and sees only what is its own.
        child: a subaccount of the victim's.
        rival: an account of somebody else, who also uses the gateway; in open mode, where all are
            one, an account that nobody here may see.
        foreign: an answer that is a list, and a number, of the rival's.
    """

    mode: str
    sandbox: RunningSandbox
    gateway: RunningGateway
    parts: Parts
    unsent: Unsent
    victim: SandboxAccount
    child: SandboxAccount
    rival: SandboxAccount
    foreign: dict[str, Any]

    def honest(self) -> Headers:
        """What the victim sends."""
        if self.mode == "tokens":
            return bearer(token(self.victim.sid, self.child.sid, sub="victim"))
        return {} if self.mode == "open" else basic(*self.victim.auth)

    def intruder(self) -> Headers:
        """What somebody sends who may use the gateway, and wants what belongs to `target`."""
        if self.mode == "tokens":
            return bearer(token(self.rival.sid, sub="rival"))
        return {} if self.mode == "open" else basic(*self.rival.auth)

    @property
    def target(self) -> SandboxAccount:
        """The account that the intruder may not see."""
        return self.rival if self.mode == "open" else self.victim

    def forged(self) -> list[Headers]:
        """What is sent by those who claim to be the victim, or who ever, and are not."""
        sid = self.victim.sid
        named = {"X-Account-Sid": self.target.sid}
        made_up = [f"AC{secrets.token_hex(16)}" for _ in range(REMEMBERED)]
        if self.mode == "open":
            wrong = [{"X-Account-Sid": each} for each in (*made_up, sid[:-1], f"{sid},{sid}", "x")]
            return [*wrong, named, {"Host": "evil.example"}]
        if self.mode == "pass-through":
            key = basic(self.rival.api_key["sid"], self.rival.api_key["secret"])
            wrong = [basic(sid, secrets.token_hex(16)), basic(f"SK{secrets.token_hex(16)}", "x")]
            wrong += [basic(each, "x") for each in made_up]
            return [*wrong, key | named, wrong[1] | named, self.intruder() | named, {}]
        unsigned = base64.urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=")
        good = token(sid)
        claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "victim", "accounts": [sid]}
        return [
            *(bearer(token(sid, key=secrets.token_hex(32))) for _ in range(REMEMBERED)),
            *(bearer(token(self.rival.sid, sub="rival", scope=each)) for each in ("", "x")),
            bearer(token(sid, exp=int(time.time()) - 60)),
            bearer(token(sid, aud="other")),
            bearer(f"{unsigned}.{good.split('.')[1]}."),
            bearer(good[:-4] + "AAAA"),
            bearer(hand_made(claims, SECRET)),
            self.intruder() | named,
            basic(*self.victim.auth),
        ]

    def secrets(self) -> list[str]:
        """What nobody may be told."""
        accounts = (self.victim, self.rival)
        return [
            *(each.auth_token for each in accounts),
            *(basic(*each.auth)["Authorization"].partition(" ")[2] for each in accounts),
        ]

    def honest_upstream(self) -> str:
        """The header that the gateway sends to the upstream for the victim."""
        return basic(*self.victim.auth)["Authorization"]

    def faulty(self, account: SandboxAccount) -> dict[str, str]:
        """What tells the sandbox that a fault is for the calls about an account."""
        if self.mode == "pass-through":
            return {"account": account.sid}
        if account.sid == self.victim.sid:
            return {"path": f"^/Numbers|{account.sid}"}
        return {"path": f"*{account.sid}*"}


def mark(account: SandboxAccount) -> str:
    """Return what stands in the name of each number of an account, and nobody else knows."""
    return f"of {account.sid[-12:]}, private"


def basic(user: str, secret: str) -> Headers:
    """Return credentials as HTTP Basic."""
    pair = base64.b64encode(f"{user}:{secret}".encode()).decode()
    return {"Authorization": f"Basic {pair}"}


def bearer(text: str) -> Headers:
    """Return a token as a header."""
    return {"Authorization": f"Bearer {text}"}


@contextmanager
def front(
    mode: str,
    family: str,
    sandbox: RunningSandbox,
    patch: pytest.MonkeyPatch,
    settings: Mapping[str, Any],
) -> Iterator[Front]:
    """Run a gateway that remembers little, with the accounts that meet at it."""
    for name in _BY_MODULE:
        patch.setattr(name, REMEMBERED)
    catalog = family == "CATALOG"
    victim = sandbox.create_account(catalog=catalog, owned=6)
    child = sandbox.create_account(catalog=catalog, owner_account_sid=victim.sid)
    parent = {"owner_account_sid": victim.sid} if mode == "tokens" else {}
    rival = sandbox.create_account(catalog=catalog, owned=3, **parent)
    chosen: dict[str, Any] = {"auth": mode, **_SMALL, **settings}
    if mode != "pass-through":
        chosen |= {"account_sid": victim.sid, "auth_token": victim.auth_token}
    if mode == "tokens":
        chosen |= TOKENS_MODE
    with running_gateway(sandbox, account=victim, **chosen) as gateway:
        parts, unsent = gateway.parts, gateway.unsent
        assert parts is not None
        assert unsent is not None
        _remember_little(parts)
        for account in (victim, rival):
            for number in sandbox.numbers(account.sid):
                named = {"configuration": {"friendly_name": mark(account)}}
                sandbox.put_number(account.sid, number["phone_number"], named)
        foreign = _page_of(rival, sandbox)
        yield Front(mode, sandbox, gateway, parts, unsent, victim, child, rival, foreign)


def _remember_little(parts: Parts) -> None:
    parts.client.accepted._most = REMEMBERED
    parts.documents._kept._most = REMEMBERED
    assert isinstance(parts.store, MemoryStore)
    parts.store._most = parts.store._values._most = REMEMBERED
    parts.pipeline.shared.sizes._most = REMEMBERED
    parts.pipeline.shared.access._most = REMEMBERED


def remembered(front: Front) -> dict[str, int]:
    """Return how many entries each memory of the process has."""
    pipeline = front.parts.pipeline
    client, access, store = front.parts.client, pipeline.shared.access, front.parts.store
    assert isinstance(store, MemoryStore)
    return {
        "accounts": len(client._accounts),
        "unproven": len(client._unproven),
        "accepted": len(client.accepted._until),
        "access": len(access._found),
        "sizes": len(pipeline.shared.sizes._known),
        "values": len(store._values),
        "buckets": len(store._buckets),
        "documents": len(front.parts.documents._kept),
        "hashes": len(pipeline.persisted._recent),
        "callers": len(getattr(pipeline.authenticator, "_known", ())),
    }


def held(front: Front) -> dict[str, int]:
    """Return how much is held for clients that are there; nothing, when they are gone."""
    parts, pipeline = front.parts, front.parts.pipeline
    return {
        "bytes": front.unsent.finished,
        "outboxes": len(front.unsent._outboxes),
        "callers": len(front.unsent._callers),
        "flights": len(pipeline.readers.flights._flights),
        "running": sum(each.running for each in parts.client.limiters()),
        "waiting": sum(each.waiting for each in parts.client.limiters()),
        "strangers": parts.client.strangers.running + parts.client.strangers.waiting,
        "unverified": parts.shares.unverified._total,
        "shares": parts.shares.callers._total,
        "subscribers": parts.events.subscribers,
        "writes": len(pipeline.draining._writes),
        "locks": len(pipeline.shared.writing.locks),
    }


def _page_of(account: SandboxAccount, sandbox: RunningSandbox) -> dict[str, Any]:
    """Return an answer that is a list and a number of an account, in either family."""
    path = f"/2010-04-01/Accounts/{account.sid}/IncomingPhoneNumbers.json"
    core = sandbox.client.get(path, auth=account.auth).json()["incoming_phone_numbers"]
    rich = core
    if account.catalog:
        rich = sandbox.client.get("/Numbers/ActiveNumbers", auth=account.auth).json()["items"]
    lists: dict[str, Any] = {"items": rich, "incoming_phone_numbers": core, "accounts": []}
    return {**rich[0], **core[0], **lists, "meta": {"key": "items"}}


def stray_answer(front: Front) -> str:
    """Return a whole HTTP answer of what belongs to the rival."""
    body = json.dumps(front.foreign)
    top = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
    return f"{top}content-length: {len(body)}\r\n\r\n{body}"
