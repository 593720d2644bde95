"""A standing attack: a hostile upstream and hostile clients, in any order, around an honest victim.

Whatever they send, the victim is served and sees its own; what belongs to it nobody else sees or
changes; money is spent once, and what is said of it is true; and nothing of it all stays in memory.
"""

import gc
import json
import os
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule, run_state_machine_as_test

from tests.documents.expensive_documents import WORST, mutations
from tests.faults import fronts
from tests.faults.asking import document, entries, fresh_number
from tests.faults.fronts import MODES, REMEMBERED, UNSENT, Front, Headers
from tests.faults.money import FAULTS, Money, fault
from tests.server.test_http_limits import BODIES, CREDENTIALS, HEADS
from tests.server.test_websocket_limits import HANDSHAKES, MESSAGES
from tests.support.raw_bytes import HANDSHAKE, frame, head
from tests.support.sandbox_in_thread import RunningSandbox
from tests.support.waiting import PATIENCE, until

# More schedules for each front, in any order, with for example FAULT_SCHEDULES=100.
SCHEDULES = int(os.environ.get("FAULT_SCHEDULES", "0"))
_FEW = 3
_CODES = {
    *("UPSTREAM_MALFORMED", "UPSTREAM_UNAVAILABLE", "UPSTREAM_TIMEOUT", "UPSTREAM_RATE_LIMITED"),
    *("UPSTREAM_REFUSED", "UPSTREAM_UNAUTHENTICATED", "FORBIDDEN", "DEADLINE_EXCEEDED"),
}
_TEXT, _PING = 1, 9
# What an upstream sends that must not be believed, or passed on.
LIES = (
    *("others", "stray", "half a stray", "echo", "deep", "drip", "nulls", "redirect", "huge"),
    "half",
)
LIST = "{ phoneNumbers(first: 3) { nodes { sid accountSid friendlyName } } }"
# More than the system takes for a client that does not read, if it is asked for often enough.
LARGE = """{ __schema { types { name description inputFields { name description type { name } }
  fields { name description args { name description } type { name ofType { name } } } } } }"""
_OFTEN = 12
FOLLOW = "subscription { phoneNumberChanged { kind numberId } }"
# What is asked about an account, one of its numbers, and where it could be moved to.
READS = {
    "list": "query($a: ID) { phoneNumbers(accountSid: $a, first: 3) { nodes { sid friendlyName } } }",
    "sid": "query($a: ID, $s: ID!) { phoneNumber(accountSid: $a, sid: $s) { sid friendlyName } }",
    "default": "query($s: ID!) { phoneNumber(sid: $s) { sid friendlyName accountSid } }",
    "number": "query($a: ID, $n: E164) { phoneNumber(accountSid: $a, phoneNumber: $n)"
    " { sid friendlyName } }",
    "nodes": "query($id: ID!) { node(id: $id) { id ... on PhoneNumber { friendlyName } }"
    " nodes(ids: [$id]) { id ... on PhoneNumber { friendlyName } } }",
    "account": "query($a: ID) { account(sid: $a) { sid phoneNumbers(first: 2)"
    " { nodes { friendlyName } } subaccounts { nodes { sid } } } }",
    "search": 'query($a: ID) { availablePhoneNumbers(accountSid: $a, country: "US", first: 1)'
    " { nodes { phoneNumber } } }",
}
_MORE: dict[str, dict[str, Any]] = {
    "configure": {"configuration": {"friendlyName": "Taken"}},
    "transfer": {},
    "release": {},
}


class Attack(Money):
    """Hostile clients and a hostile upstream at one front."""

    def __init__(self, front: Front) -> None:
        super().__init__()
        self.front = front
        self.sandbox = front.sandbox
        self.open: list[socket.socket] = []
        self.disturbed = False

    @initialize()
    def begin(self) -> None:
        self.begin_with(self.front.victim, self.front.child)
        self.until_served()

    # The hostile upstream ---------------------------------------------------------------------

    @rule(faults=st.lists(FAULTS, min_size=1, max_size=3))
    def break_something(self, faults: list[dict[str, Any]]) -> None:
        """Something goes wrong with the victim's calls."""
        about = self.front.faulty(self.account)
        self.sandbox.set_faults([about | fault(each) for each in faults])
        self.disturbed = True

    @rule(
        drawn=st.lists(
            st.sampled_from(list(LIES)),
            min_size=1,
            max_size=3,
        ),
        method=st.sampled_from(["GET", "GET", "POST"]),
        count=st.integers(1, 3),
    )
    def lie(self, drawn: list[str], method: str, count: int) -> None:
        """The upstream sends to the victim what it must not believe, and tells its secrets."""
        more = {"method": method, "count": count, **self.front.faulty(self.account)}
        self.sandbox.set_faults([self._lie(each, method) | more for each in drawn])
        self.disturbed = True

    @rule(faults=st.lists(FAULTS, min_size=1, max_size=3))
    def break_something_of_the_rivals(self, faults: list[dict[str, Any]]) -> None:
        """Something goes wrong with the rival's calls, and the rival makes many."""
        self.mend()
        about = self.front.faulty(self.front.rival) | {"count": 12}
        self.sandbox.set_faults([fault(each) | about for each in faults])
        for _ in range(3):
            self._post({"query": READS["list"], "variables": {"a": self.front.rival.sid}})

    @rule()
    def mend(self) -> None:
        self.sandbox.clear_faults()
        self.until_served()

    # Hostile clients --------------------------------------------------------------------------

    @rule(read=st.sampled_from(list(READS)))
    def forge(self, read: str) -> None:
        """Strangers claim to be the victim, or anybody."""
        for headers in self.front.forged():
            body = {"query": READS[read], "variables": self._about(READS[read])}
            self._post(body, headers)

    @rule(read=st.sampled_from(list(READS)), stream=st.booleans())
    def pry(self, read: str, *, stream: bool) -> None:
        """Who may use the gateway asks for what belongs to somebody else."""
        body = {"query": READS[read], "variables": self._about(READS[read])}
        self._post(
            body, self.front.intruder() | ({"Accept": "text/event-stream"} if stream else {})
        )

    @rule(
        verb=st.sampled_from(list(_MORE)),
        named=st.sampled_from(["target", "own", "default"]),
        dry=st.booleans(),
    )
    def take(self, verb: str, named: str, *, dry: bool) -> None:
        """Who may use the gateway writes to what belongs to somebody else."""
        front, target = self.front, self.front.target
        number = self.sandbox.numbers(target.sid)[0]
        more = _MORE[verb]
        if verb == "transfer":
            more = {"toAccountSid": front.rival.sid if target is front.victim else front.victim.sid}
        elif verb == "release":
            more = {"confirmPhoneNumber": number["phone_number"]}
        given = {"sid": number["sid"], "dryRun": dry, "idempotencyKey": None, **more}
        own = front.victim if front.mode == "open" else front.rival
        if named != "default":
            given["accountSid"] = (target if named == "target" else own).sid
        answer = self._post({"query": document(verb), "variables": {"input": given}})
        payload = (answer.get("data") or {}).get(f"{verb}PhoneNumber")
        assert not payload or payload["userErrors"], answer
        assert number in self.sandbox.numbers(target.sid)

    @precondition(lambda self: self.front.mode != "open")
    @rule(key=st.sampled_from(["one", "two"]))
    def use_the_victims_key(self, key: str) -> None:
        """A rival's keys are its own, whatever others call theirs."""
        number = fresh_number(self.sandbox)
        given = {"phoneNumber": number, "idempotencyKey": f"{key} {self.numbers[0]}"}
        answer = self._post({"query": document("purchase"), "variables": {"input": given}})
        bought = [each for each in self.sandbox.ledger() if each["phone_number"] == number]
        assert {each["account_sid"] for each in bought} <= {self.front.rival.sid}
        payload = (answer.get("data") or {}).get("purchasePhoneNumber")
        if payload and payload["phoneNumber"] and not payload["replayed"]:
            assert entries(self.sandbox, number, "purchase") == 1

    @rule(name=st.sampled_from(list(BODIES)))
    def send_a_body(self, name: str) -> None:
        self._raw(BODIES[name], self.front.intruder())

    # In open mode the victim itself would wait for what these documents ask of its account.
    @precondition(lambda self: self.front.mode != "open")
    @rule(seed=st.integers(0, 10_000), name=st.sampled_from(list(WORST)))
    def send_documents(self, seed: int, name: str) -> None:
        for text in (*mutations(seed, 3), WORST[name]):
            self._post({"query": text})

    @rule(name=st.sampled_from([*HEADS, *CREDENTIALS, *HANDSHAKES]))
    def send_a_head(self, name: str) -> None:
        """Bytes that are no HTTP, whose sender does not wait for what is said of them."""
        if name in HEADS:
            sent, _ = HEADS[name]
        elif name in HANDSHAKES:
            sent = head(*HANDSHAKES[name][0], method="GET", path=HANDSHAKES[name][1])
        else:
            sent = head("content-length: 2").removesuffix(b"\r\n") + b"authorization: "
            sent += CREDENTIALS[name] + b"\r\n\r\n{}"
        self._connect(sent).close()

    @rule(name=st.sampled_from(list(MESSAGES)), introduced=st.booleans())
    def send_a_message(self, name: str, *, introduced: bool) -> None:
        self._socket([MESSAGES[name]] * 2, introduced=introduced)

    @rule(
        rest=st.sampled_from(
            [
                b"\x01\x02\x03",
                b"\xff\xff" + b"\xff" * 20,
                frame(_TEXT, b"\xff\xfe"),
                frame(_TEXT, b"{", last=False) + frame(_TEXT, b"}"),
                frame(_PING, b"x" * 200),
                frame(_PING, b"x") * 200,
                frame(8, b"\x00"),
                b"\x81\x85" + b"\x00" * 4 + b"hello",
                b"\x81\xff" + b"\x7f" * 8,
            ]
        )
    )
    def send_frames(self, rest: bytes) -> None:
        self._socket([], introduced=True).sendall(rest)

    @rule(
        kind=st.sampled_from(
            ["silent", "half a head", "half a body", "handshakes", "forged", "idle"]
        ),
        many=st.integers(1, 8),
    )
    def storm(self, kind: str, many: int) -> None:
        """Connections that ask for nothing, and stay."""
        forged = self.front.forged()
        for index in range(many):
            if kind == "handshakes":
                self._connect(head(*HANDSHAKE, method="GET"))
            elif kind in {"forged", "idle"}:
                who = forged[index % len(forged)] if kind == "forged" else self.front.intruder()
                self._socket([], introduced=True, headers=who)
            else:
                half = {"half a head": head("x: y")[:-2], "half a body": head("content-length: 9")}
                self._connect(half.get(kind, b""))

    @rule(
        kind=st.sampled_from(["socket", "events", "pipelined", "subscription"]),
        many=st.integers(1, 4),
    )
    def read_nothing(self, kind: str, many: int) -> None:
        """Much is asked for, and never read."""
        for _ in range(many):
            if kind in {"socket", "subscription"}:
                query = LARGE if kind == "socket" else FOLLOW
                asked = [
                    json.dumps({"type": "subscribe", "id": str(each), "payload": {"query": query}})
                    for each in range(_OFTEN)
                ]
                self._socket(asked, introduced=True)
            else:
                accept = "text/event-stream" if kind == "events" else "application/json"
                body = json.dumps({"query": LARGE}).encode()
                self._connect(
                    self._request(body, self.front.intruder() | {"Accept": accept}) * _OFTEN
                )

    @rule()
    def leave(self) -> None:
        """All connections of the hostile end."""
        while self.open:
            self.open.pop().close()

    # What holds, whatever they do -------------------------------------------------------------

    @invariant()
    def the_victim_is_served(self) -> None:
        answer = self.front.gateway.http.get(f"{self.front.gateway.url}/healthz")
        assert answer.status_code == 200
        if not self.disturbed:
            assert self._served()
        else:
            self._looks()

    @invariant()
    def memory_is_bounded(self) -> None:
        busy = fronts.held(self.front)["running"] + fronts.held(self.front)["waiting"]
        for name, count in fronts.remembered(self.front).items():
            assert count <= REMEMBERED + busy, name
        # One answer more than may be held can be finished before anybody is cut off.
        assert self.front.unsent.finished <= UNSENT + 1024 * 1024

    def until_served(self) -> None:
        """Wait until the victim is served again, now that nothing disturbs it any more."""
        until(lambda: self._served() and not self._is_left_alone())
        self.disturbed = False

    def _is_left_alone(self) -> bool:
        """Whether a breaker is open: that of the family which is not asked waits for its pause."""
        return "open" in self.front.parts.client.breaker_states().values()

    def ask(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        """Run an operation as the victim, who must be told nothing of others."""
        body = {"query": query, "variables": variables}
        answer = self.front.gateway.http.post(self._url, json=body, headers=self.front.honest())
        assert answer.status_code == 200, answer.text
        assert fronts.mark(self.front.rival) not in answer.text
        self._tells_no_secret(answer.text)
        response: dict[str, Any] = answer.json()
        return response

    def teardown(self) -> None:
        self.leave()
        if hasattr(self, "account"):
            self.sandbox.clear_faults()
            self._nothing_is_held()

    def _nothing_is_held(self) -> None:
        """Wait until nothing is held for clients any more: they are gone."""
        end = time.monotonic() + PATIENCE
        while held := {name: many for name, many in fronts.held(self.front).items() if many}:
            assert time.monotonic() < end, held
            time.sleep(0.01)
            gc.collect()  # What an error's traceback holds goes with it.

    def _served(self) -> bool:
        answer = self.ask(LIST, {})
        if "errors" in answer:
            assert self.disturbed, answer
            return False
        nodes = answer["data"]["phoneNumbers"]["nodes"]
        assert [each["accountSid"] for each in nodes] == [self.account.sid] * 3
        return True

    def _looks(self) -> None:
        """See that the victim is told its own, or an error with a code, while it is disturbed."""
        answer = self.ask(LIST, {})
        codes = {each["extensions"]["code"] for each in answer.get("errors", ())}
        assert codes <= _CODES, answer
        for each in ((answer.get("data") or {}).get("phoneNumbers") or {}).get("nodes", ()):
            assert each["accountSid"] == self.account.sid

    def _lie(self, name: str, method: str) -> dict[str, Any]:
        front = self.front
        secret = f"Invalid Authorization: {front.honest_upstream()} for {front.victim.auth_token}"
        own = {"sid": "PN" + "1" * 32, "phone_number": "+12125550100", "friendly_name": "DEEP"}
        page = {"items": [own], "incoming_phone_numbers": [own], "meta": {"key": "items"}}
        deep = json.dumps(own | page).replace('"DEEP"', '{"a":' * 100_000 + "1" + "}" * 100_000)
        wrote = {"commit": method == "POST"}
        stray = fronts.stray_answer(front)
        lies: dict[str, dict[str, Any]] = {
            "others": {"kind": "wrong-shape", "body": front.foreign, **wrote},
            "stray": {"kind": "stray-bytes", "body": stray},
            "half a stray": {"kind": "stray-bytes", "body": stray[: len(stray) // 2]},
            "echo": {"kind": "status", "status": 400, "body": {"code": 20001, "message": secret}},
            "deep": {"kind": "wrong-shape", "body": deep, **wrote},
            "drip": {"kind": "slow-body", "latency_ms": 200},
            "nulls": {"kind": "null-items"},
            "redirect": {"kind": "redirect", "location": f"{self.sandbox.url}/_sandbox/accounts"},
            "huge": {"kind": "huge-body", "bytes": 2**20, **wrote},
            "half": {"kind": "malformed", **wrote},
        }
        return lies[name]

    def _about(self, query: str) -> dict[str, Any]:
        target = self.front.target
        number = self.sandbox.numbers(target.sid)[0]
        sid = number["sid"]
        every = {"a": target.sid, "s": sid, "n": number["phone_number"], "id": sid}
        return {name: value for name, value in every.items() if f"${name}:" in query}

    @property
    def _url(self) -> str:
        return f"{self.front.gateway.url}/graphql"

    def _post(self, body: object, headers: Headers | None = None) -> dict[str, Any]:
        """Send a request of somebody hostile, and see that the answer tells nothing."""
        return self._raw(json.dumps(body).encode(), headers or self.front.intruder())

    def _raw(self, body: bytes, headers: Headers) -> dict[str, Any]:
        sent = {"Content-Type": "application/json", **headers}
        with suppress(httpx.WriteError, httpx.ReadError):
            answer = self.front.gateway.http.post(self._url, content=body, headers=sent)
            assert answer.status_code < 500, answer.text
            assert fronts.mark(self.front.target) not in answer.text, answer.text
            self._tells_no_secret(answer.text)
            with suppress(ValueError):
                response = answer.json()
                return response if isinstance(response, dict) else {}
        return {}

    def _tells_no_secret(self, text: str) -> None:
        for secret in self.front.secrets():
            assert secret not in text, text
            assert secret[4:24] not in text, text

    def _request(self, body: bytes, headers: Headers) -> bytes:
        lines = [f"{name}: {value}" for name, value in headers.items()]
        length = f"content-length: {len(body)}"
        return head("content-type: application/json", length, *lines) + body

    def _connect(self, sent: bytes) -> socket.socket:
        """Open a connection and send something; the one that is open longest ends, if too many are."""
        host, _, port = self.front.gateway.url.rpartition("/")[2].partition(":")
        connection = socket.socket()
        # The system must not read for who does not: what it takes is not seen by the gateway.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(10)
        connection.connect((host, int(port)))
        self.open.append(connection)
        if len(self.open) > 40:
            self.open.pop(0).close()
        with suppress(OSError):
            connection.sendall(sent)
        return connection

    def _socket(
        self, messages: list[str], *, introduced: bool, headers: Headers | None = None
    ) -> socket.socket:
        """Open a WebSocket and send messages, without reading what comes."""
        who = self.front.intruder() if headers is None else headers
        first = [json.dumps({"type": "connection_init", "payload": who})] if introduced else []
        connection = self._connect(head(*HANDSHAKE, method="GET"))
        # Frames that come with the handshake may be taken for its body: wait for its end.
        with suppress(OSError):
            connection.recv(4096)
            connection.sendall(b"".join(frame(_TEXT, each.encode()) for each in first + messages))
        return connection


def _census() -> Counter[str]:
    """Return how many objects of the gateway's classes there are in this process."""
    gc.collect()
    kinds = Counter(type(each) for each in gc.get_objects())
    return Counter(
        {
            f"{kind.__module__}.{kind.__qualname__}": count
            for kind, count in kinds.items()
            if kind.__module__.startswith(("gateway.", "schema.", "_asyncio"))
            and not kind.__module__.startswith("gateway.sandbox")
        }
    )


@pytest.fixture(params=[f"{mode} {family}" for mode in MODES for family in ("CATALOG", "CORE")])
def front(
    request: pytest.FixtureRequest,
    sandbox: RunningSandbox,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Iterator[Front]:
    mode, _, family = request.param.partition(" ")
    with fronts.front(mode, family, sandbox, monkeypatch, {"data_dir": tmp_path}) as found:
        yield found


@pytest.mark.fault(
    "random schedules of a hostile upstream and hostile clients, for each mode and family",
    expected="others are served, see and lose nothing of theirs; memory is as before",
)
def test_the_honest_are_served_their_own_whatever_the_hostile_send(
    front: Front, seen: Callable[[str], None]
) -> None:
    def run(schedules: int, *, derandomize: bool) -> None:
        class Here(Attack):
            def __init__(self) -> None:
                super().__init__(front)

        run_state_machine_as_test(
            Here,
            settings=settings(
                max_examples=schedules,
                derandomize=derandomize,
                stateful_step_count=10,
                deadline=None,
                database=None,
                # The schedule that fails is printed as it is: to make it shorter takes long.
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            ),
        )

    run(1, derandomize=True)
    before = _census()
    run(SCHEDULES or _FEW, derandomize=not SCHEDULES)
    grown = {name: count - before[name] for name, count in _census().items()}
    # What is remembered may be more by a few entries, and by what these are made of.
    assert {name: more for name, more in grown.items() if more > 20 * REMEMBERED} == {}
    seen("others are served, see and lose nothing of theirs; memory is as before")
