"""Writes in any order, among faults: money is spent once, and what is said of it is true."""

from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.faults.asking import document, entries, fresh_number, writes
from tests.support import loopback
from tests.support.sandbox_in_thread import RunningSandbox, SandboxAccount

NUMBERS = st.integers(0, 2)
KEYS = st.sampled_from([None, "one", "two"])
# What goes wrong, by name: the upstream's own errors, and what something between says in its place.
WAYS: dict[str, dict[str, Any]] = {
    "lost answer": {"kind": "lost-answer"},
    "reset": {"kind": "reset"},
    "500": {"kind": "status", "status": 500},
    "503": {"kind": "status", "status": 503},
    "500 without a code": {"kind": "status", "status": 500, "body": {"message": "Sorry"}},
    "503 without a code": {"kind": "status", "status": 503, "body": ""},
    "429": {"kind": "429"},
    "429 of a proxy in JSON": {"kind": "429", "body": {"code": 429, "message": "Slow down"}},
    "broken off": {"kind": "truncate"},
    "half JSON": {"kind": "malformed"},
    "late": {"kind": "latency", "latency_ms": 450},
    "another shape": {"kind": "wrong-shape"},
    "202": {"kind": "wrong-shape", "status": 202, "body": ""},
    "200 and nothing": {"kind": "wrong-shape", "body": "{}"},
    **{
        f"page with {status}": {"kind": "html", "status": status}
        for status in (200, 202, 400, 403, 404, 409, 429, 502)
    },
}
FAULTS = st.fixed_dictionaries(
    {
        "way": st.sampled_from(list(WAYS)),
        "method": st.sampled_from(["POST", "POST", "DELETE", "GET"]),
        "commit": st.booleans(),
        "count": st.integers(1, 2),
        "skip": st.integers(0, 1),
    }
)
# Whoever has a key of an unknown outcome, and sees it done, is told so.
_UNKNOWN = "OUTCOME_UNKNOWN"


def fault(drawn: dict[str, Any]) -> dict[str, Any]:
    """Return what the sandbox is told of a fault that was drawn."""
    described = {name: each for name, each in drawn.items() if name != "way"} | WAYS[drawn["way"]]
    # The upstream's own 429 says that nothing was done, and is true.
    return described | ({"commit": False} if drawn["way"] == "429" else {})


class Money(RuleBasedStateMachine):
    """Purchases of few numbers with few keys, and other changes, among faults."""

    sandbox: RunningSandbox
    account: SandboxAccount
    child: SandboxAccount
    numbers: list[str]

    def __init__(self) -> None:
        super().__init__()
        self.reports: defaultdict[str, list[str]] = defaultdict(list)
        self._changes = 0

    def ask(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        """Run an operation as the one whose money it is."""
        raise NotImplementedError

    def begin_with(self, account: SandboxAccount, child: SandboxAccount) -> None:
        """Begin with three numbers that can be bought and no fault."""
        self.sandbox.clear_faults()
        self.account, self.child = account, child
        self.numbers = [fresh_number(self.sandbox) for _ in range(3)]

    @rule(faults=st.lists(FAULTS, min_size=1, max_size=3))
    def break_something(self, faults: list[dict[str, Any]]) -> None:
        self.sandbox.set_faults([{"account": self.account.sid} | fault(each) for each in faults])

    @rule()
    def mend(self) -> None:
        self.sandbox.clear_faults()

    @rule(number=NUMBERS, key=KEYS)
    def buy(self, number: int, key: str | None) -> None:
        self._report(self.numbers[number], self._buy(self.numbers[number], key))

    @rule(number=NUMBERS, key=KEYS, times=st.integers(2, 4))
    def buy_at_once(self, number: int, key: str | None, times: int) -> None:
        wanted = self.numbers[number]
        with ThreadPoolExecutor(times) as pool:
            runs = [pool.submit(self._buy, wanted, key) for _ in range(times)]
        for run in runs:
            self._report(wanted, run.result())

    @rule(verb=st.sampled_from(["configure", "transfer", "release"]), late=st.booleans())
    def change(self, verb: str, *, late: bool) -> None:
        """Change a number; with `late`, what was left undone and unknown is done afterwards."""
        owned = self.sandbox.put_number(self.account.sid)
        number, sid = owned["phone_number"], owned["sid"]
        more: dict[str, dict[str, Any]] = {
            "configure": {"configuration": {"friendlyName": "Renamed"}},
            "transfer": {"toAccountSid": self.child.sid},
            "release": {"confirmPhoneNumber": number},
        }
        self._changes += 1
        given = {"sid": sid, **more[verb], "idempotencyKey": f"{verb} {self.numbers[0]} {sid}"}
        self.sandbox.forget_requests()
        said = self._run(verb, given)
        done = entries(self.sandbox, number, verb)
        assert done <= 1, said
        assert done or said != "done", said
        assert not done or said in {"done", _UNKNOWN}, said
        if late and said == _UNKNOWN and not done and (sent := writes(self.sandbox)):
            self._carry_out(sent[-1])
            assert entries(self.sandbox, number, verb) == 1
            assert self._run(verb, given) == "done before"

    @invariant()
    def what_was_said_is_what_happened(self) -> None:
        bought: defaultdict[str, int] = defaultdict(int)
        for entry in self.sandbox.ledger():
            if entry["action"] == "bought":
                bought[entry["phone_number"]] += 1
        for number, said in self.reports.items():
            done = said.count("bought")
            owned = {"bought", "bought before", "ALREADY_OWNED"} & set(said)
            assert bought[number] <= 1, said
            assert done <= bought[number], said
            assert bought[number] or not owned, said
            # Nobody was told of money spent only if none was: else it was called bought or unknown.
            told = "bought" in said or "bought before" in said or _UNKNOWN in said
            assert told or not bought[number], said

    def _carry_out(self, asked: dict[str, Any]) -> None:
        """Do now what the upstream was asked to do, and has left undone."""
        self.sandbox.clear_faults()
        answer = loopback.request(
            asked["method"],
            self.sandbox.url + asked["path"],
            data=dict(asked["form"]),
            auth=self.account.auth,
        )
        assert answer.is_success, answer.text

    def _buy(self, number: str, key: str | None) -> str:
        # A key is of one schedule: some callers live through many.
        key = key and f"{key} {self.numbers[0]}"
        said = self._run("purchase", {"phoneNumber": number, "idempotencyKey": key})
        return {"done": "bought", "done before": "bought before"}.get(said, said)

    def _run(self, verb: str, given: dict[str, Any]) -> str:
        response = self.ask(document(verb), {"input": given})
        if "errors" in response:
            return str(response["errors"][0]["extensions"]["code"])
        payload = response["data"][f"{verb}PhoneNumber"]
        if payload["userErrors"]:
            return str(payload["userErrors"][0]["code"])
        return "done before" if payload["replayed"] else "done"

    def _report(self, number: str, said: str) -> None:
        self.reports[number].append(said)
