"""What is asked to be explained: a plan runs nothing, whatever way it is asked for and delivered."""

import json
from typing import Any

import pytest

from tests.support.gateway_in_thread import RunningGateway, running_gateway
from tests.support.sandbox_in_thread import RunningSandbox, SandboxAccount
from tests.support.streams import credentials, socket

PURCHASE = """mutation ($number: E164!) { purchasePhoneNumber(input: {phoneNumber: $number}) {
  userErrors { code } ... @defer { phoneNumber { sid } } } }"""
PLAN = {"X-Gateway-Explain": "plan"}
DELIVERIES = {
    "json": "application/json",
    "events": "text/event-stream",
    "events or json": "text/event-stream, application/json",
    "parts": "multipart/mixed",
    "parts or json": "multipart/mixed;incrementalSpec=v0.2, application/json",
    "parts of 2022": "multipart/mixed;deferSpec=20220824, application/json",
}


@pytest.fixture
def buyer(sandbox: RunningSandbox) -> SandboxAccount:
    """An account without numbers."""
    return sandbox.create_account(catalog=True)


def body(sandbox: RunningSandbox, **extensions: Any) -> dict[str, Any]:
    """Return a request that would buy a number."""
    number = sandbox.put_number()["phone_number"]
    sandbox.forget_requests()
    return {"query": PURCHASE, "variables": {"number": number}, "extensions": extensions}


def check_plan(response: dict[str, Any], sandbox: RunningSandbox) -> None:
    """See that a response is a plan to buy, and that nothing was asked of the upstream."""
    assert response["data"] is None
    assert response["extensions"]["plan"]["calls"]["max"] >= 2
    assert sandbox.requests() == []


@pytest.mark.parametrize("way", ["header", "extension"])
@pytest.mark.parametrize("delivery", DELIVERIES)
def test_a_plan_is_one_result_however_it_is_delivered(
    gateway: RunningGateway, buyer: SandboxAccount, delivery: str, way: str
) -> None:
    wanted = body(gateway.sandbox, **({"explain": "plan"} if way == "extension" else {}))
    headers = {"accept": DELIVERIES[delivery]} | (PLAN if way == "header" else {})
    answer = gateway.post(wanted, account=buyer, headers=headers)
    assert answer.status_code == 200
    if delivery == "events":
        result, end = answer.text.strip().split("\n\n")
        assert end.startswith("event: complete")
        check_plan(json.loads(result.removeprefix("event: next\ndata: ")), gateway.sandbox)
    else:
        assert answer.headers["content-type"] == "application/json; charset=utf-8"
        check_plan(answer.json(), gateway.sandbox)


@pytest.mark.parametrize("way", ["handshake", "connection_init", "extension"])
def test_a_plan_is_one_result_over_a_websocket(
    gateway: RunningGateway, buyer: SandboxAccount, way: str
) -> None:
    wanted = body(gateway.sandbox, **({"explain": "plan"} if way == "extension" else {}))
    options: dict[str, Any] = {"additional_headers": PLAN} if way == "handshake" else {}
    with socket(gateway, **options) as client:
        client.send(
            "connection_init",
            payload=credentials(buyer) | (PLAN if way == "connection_init" else {}),
        )
        assert client.receive() == {"type": "connection_ack"}
        gateway.sandbox.forget_requests()
        client.send("subscribe", id="1", payload=wanted)
        answer = client.receive()
        assert answer["type"] == "next"
        check_plan(answer["payload"], gateway.sandbox)
        assert client.receive() == {"type": "complete", "id": "1"}


@pytest.mark.parametrize(
    ("header", "extension"),
    [("Plan", None), ("PLAN", None), ("plan", "trace"), ("trace", "plan")],
)
def test_a_plan_goes_before_a_trace_and_may_be_spelt_in_capitals(
    gateway: RunningGateway, buyer: SandboxAccount, header: str, extension: str | None
) -> None:
    wanted = body(gateway.sandbox, explain=extension)
    answer = gateway.post(wanted, account=buyer, headers={"X-Gateway-Explain": header})
    check_plan(answer.json(), gateway.sandbox)


def test_of_two_headers_neither_hides_the_plan(
    gateway: RunningGateway, buyer: SandboxAccount
) -> None:
    answer = gateway.http.post(
        f"{gateway.url}/graphql",
        json=body(gateway.sandbox),
        auth=buyer.auth,
        headers=[("X-Gateway-Explain", "plan"), ("X-Gateway-Explain", "trace")],
    )
    check_plan(answer.json(), gateway.sandbox)


@pytest.mark.parametrize("delivery", DELIVERIES)
@pytest.mark.parametrize(
    ("header", "extension"),
    [("plna", None), ("plan, trace", None), ("", ["plan"]), ("", {"plan": True}), ("", True)],
)
def test_what_cannot_be_explained_is_not_run(
    gateway: RunningGateway, buyer: SandboxAccount, header: str, extension: object, delivery: str
) -> None:
    answer = gateway.post(
        body(gateway.sandbox, explain=extension),
        account=buyer,
        headers={"X-Gateway-Explain": header, "accept": DELIVERIES[delivery]},
    )
    assert answer.status_code == 400
    [error] = answer.json()["errors"]
    assert error["message"].startswith("`plan` and `trace` can be explained, not ")
    assert error["extensions"] == {"code": "BAD_REQUEST"}
    assert gateway.sandbox.requests() == []


@pytest.mark.parametrize("delivery", DELIVERIES)
@pytest.mark.parametrize("settings", [{"production": True}, {"explain": False}])
def test_where_nothing_is_explained_a_plan_is_refused_and_not_run(
    sandbox: RunningSandbox, buyer: SandboxAccount, settings: dict[str, bool], delivery: str
) -> None:
    with running_gateway(sandbox, account=buyer, **settings) as gateway:
        headers = PLAN | {"accept": DELIVERIES[delivery]}
        answer = gateway.post(body(sandbox), headers=headers)
    [error] = answer.json()["errors"]
    assert error["extensions"] == {"code": "FORBIDDEN"}
    assert "data" not in answer.json()
    assert sandbox.requests() == []


def test_each_operation_of_a_list_is_planned(sandbox: RunningSandbox) -> None:
    buyer = sandbox.create_account(catalog=True)
    with running_gateway(sandbox, account=buyer, batch_limit=3) as gateway:
        wanted = [body(sandbox), body(sandbox, explain="trace"), body(sandbox, explain="nothing")]
        one, two, three = gateway.post(wanted, headers=PLAN).json()
    check_plan(one, sandbox)
    check_plan(two, sandbox)
    assert three["errors"][0]["extensions"] == {"code": "BAD_REQUEST"}


def test_a_subscription_is_planned_as_a_single_result(gateway: RunningGateway) -> None:
    query = "subscription { phoneNumberChanged { numberId } }"
    for accept in ("application/json", "text/event-stream, application/json"):
        answer = gateway.post({"query": query}, headers=PLAN | {"accept": accept}).json()
        assert answer["extensions"]["plan"]["calls"]["max"] >= 1
    assert gateway.sandbox.requests() == []


# Traces -------------------------------------------------------------------------------------------

LATE = "{ phoneNumbers(first: 2) { nodes { sid ... @defer { account { sid } } } } }"
TRACE = {"X-Gateway-Explain": "trace"}


@pytest.mark.parametrize("delivery", DELIVERIES)
def test_a_trace_comes_with_the_last_of_an_answer(
    gateway: RunningGateway, sandbox: RunningSandbox, delivery: str
) -> None:
    gateway.query("{ phoneNumbers(first: 1) { nodes { sid } } }")
    sandbox.forget_requests()
    answer = gateway.post({"query": LATE}, headers=TRACE | {"accept": DELIVERIES[delivery]})
    kind = answer.headers["content-type"].partition(";")[0]
    if kind == "multipart/mixed":
        boundary = answer.headers["content-type"].split('boundary="')[1].split('"')[0]
        _, *pieces, _ = answer.text.split(f"--{boundary}")
        *early, last = [json.loads(piece.partition("\r\n\r\n")[2]) for piece in pieces]
        assert early
        assert all("extensions" not in each for each in early)
        assert last["hasNext"] is False
    elif kind == "text/event-stream":
        last = json.loads(answer.text.partition("data: ")[2].partition("\n\n")[0])
    else:
        last = answer.json()
    trace = last["extensions"]["upstream"]
    assert trace["sent"] == len(sandbox.requests()) == 2
    assert trace["calls"][1]["path"].startswith("/2010-04-01/Accounts/")


@pytest.mark.parametrize("catalog", [True, False], ids=["catalog", "core"])
def test_a_trace_tells_what_a_write_sends_without_secrets(
    gateway: RunningGateway, sandbox: RunningSandbox, *, catalog: bool
) -> None:
    account = sandbox.create_account(catalog=catalog, owned=1)
    [number] = sandbox.numbers(account.sid)
    settings = f"""friendlyName: "Desk {account.auth_token}", voice: {{ method: GET }},
      sms: {{ url: "https://example.com/sms?a=1&b=2", fallbackUrl: "https://example.com/sms" }}"""
    configure = f"""mutation {{ configurePhoneNumber(
      input: {{ sid: "{number["sid"]}", configuration: {{ {settings} }} }}
    ) {{ userErrors {{ message }} }} }}"""
    answer = gateway.post({"query": configure}, account=account, headers=TRACE)
    assert account.auth_token not in answer.text
    *_, sent = (
        call
        for call in answer.json()["extensions"]["upstream"]["calls"]
        if call["method"] == "POST"
    )
    values = {each["value"] for each in sent["parameters"]}
    assert {"https://example.com/sms?a=1&b=2", "https://example.com/sms", "GET"} <= values
    assert "Desk …" in values
    [written] = [each for each in sandbox.requests() if each["method"] == "POST"][-1:]
    assert sent["path"] == written["path"]
    reads = gateway.execute("{ phoneNumbers { nodes { sid } } }", account=account, headers=TRACE)
    assert all("parameters" not in each for each in reads["extensions"]["upstream"]["calls"])


def test_another_attempt_of_a_call_is_told_as_such_and_is_no_call_that_resolvers_would_make(
    sandbox: RunningSandbox,
) -> None:
    account = sandbox.create_account(catalog=False, owned=2)
    listing = "{ phoneNumbers(first: 2) { nodes { sid } } }"
    with running_gateway(sandbox, account=account) as gateway:
        gateway.query(listing)
        sandbox.set_faults([{"kind": "status", "status": 503, "method": "GET", "count": 1}])
        trace = gateway.execute(listing, headers=TRACE)["extensions"]["upstream"]
    first, again = trace["calls"]
    assert (first["status"], again["status"]) == (503, 200)
    assert (first.get("attempt"), again["attempt"]) == (None, 2)
    assert (first["path"], first["query"]) == (again["path"], again["query"])
    assert (trace["sent"], trace["saved"], trace["naive"]) == (2, 0, 1)


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 503},
        {"kind": "lost-answer"},
        {"kind": "wrong-shape", "body": '{"incoming_phone_numbers": [}'},
    ],
    ids=lambda fault: fault["kind"],
)
def test_a_call_that_is_tried_again_counts_once_in_a_plan_and_for_the_most_calls(
    sandbox: RunningSandbox, fault: dict[str, Any]
) -> None:
    account = sandbox.create_account(catalog=False, owned=2)
    two = "{ a: phoneNumbers(first: 1) { nodes { sid } } b: phoneNumbers(first: 2) { nodes { sid } } }"
    with running_gateway(sandbox, account=account, most_calls=2) as gateway:
        gateway.query("{ phoneNumbers(first: 3) { nodes { sid } } }")
        sandbox.set_faults([{**fault, "method": "GET", "count": 1}])
        plan = gateway.execute(two, headers=PLAN)["extensions"]["plan"]
        answer = gateway.execute(two, headers=TRACE)
    assert "errors" not in answer
    assert plan["calls"] == {"min": 2, "max": 2}
    trace = answer["extensions"]["upstream"]
    assert (trace["sent"], trace["naive"]) == (3, 2)


@pytest.mark.parametrize("missing", [0, 1], ids=["all found", "one missing"])
def test_a_list_that_answers_look_ups_names_them_all_in_the_trace(
    sandbox: RunningSandbox, missing: int
) -> None:
    account = sandbox.create_account(catalog=True, owned=40)
    sids = [number["sid"] for number in sandbox.numbers(account.sid)[:12]]
    sids += [f"PN{place:032}" for place in range(missing)]
    fields = [f'n{place}: phoneNumber(sid: "{sid}") {{ sid }}' for place, sid in enumerate(sids)]
    again = f'again: phoneNumber(sid: "{sids[0]}") {{ sid }}'
    with running_gateway(sandbox, account=account) as gateway:
        gateway.query("{ phoneNumbers(first: 1000) { nodes { sid } } }")
        answer = gateway.execute(f"{{ {' '.join(fields)} {again} }}", headers=TRACE)
    trace = answer["extensions"]["upstream"]
    assert (trace["sent"], trace["saved"], trace["naive"]) == (1, len(sids), len(sids) + 1)
    sent, *spared = trace["calls"]
    names = [f"n{place}" for place in range(len(sids))]
    assert sorted(sent["fields"]) == sorted([*names, "again"])
    assert {call["outcome"] for call in spared} == {"primed"}


def test_a_number_that_answers_the_look_up_of_its_sid_is_in_the_trace(
    sandbox: RunningSandbox,
) -> None:
    account = sandbox.create_account(catalog=True, owned=2)
    number = sandbox.numbers(account.sid)[0]
    with running_gateway(sandbox, account=account) as gateway:
        gateway.query("{ phoneNumbers(first: 1) { nodes { sid } } }")
        answer = gateway.execute(
            f"""{{ a: phoneNumber(sid: "{number["sid"]}") {{ sid }}
              b: phoneNumberByIdentifier(identifier: {{ phoneNumber: "{number["phone_number"]}" }}) {{ sid }} }}""",
            headers=TRACE,
        )
    trace = answer["extensions"]["upstream"]
    assert (trace["sent"], trace["saved"]) == (1, 1)
    assert [(call["outcome"], call["fields"]) for call in trace["calls"]] == [
        ("sent", ["b"]),
        ("primed", ["a"]),
    ]


def test_a_trace_names_the_fields_that_asked_whichever_way_they_were_resolved(
    gateway: RunningGateway, sandbox: RunningSandbox
) -> None:
    """By their names in the answer, without places in lists."""
    query = """query ($first: Int!) {
      mine: phoneNumbers(first: $first) { edges { node { ...wide } } }
    }
    fragment wide on PhoneNumber {
      owner: account { sid } nearby: similarAvailable(within: LATA, first: 1) { exhaustive }
    }"""
    headers = {"X-Gateway-Explain": "trace"}

    def asked(one: RunningGateway) -> set[str]:
        response = one.execute(query, {"first": 2}, headers=headers)
        calls = response["extensions"]["upstream"]["calls"]
        return {field for call in calls for field in call["fields"]}

    with running_gateway(sandbox, fast=False) as slow:
        assert (
            asked(gateway)
            == asked(slow)
            == {
                "mine",
                "mine.edges.node.owner",
                "mine.edges.node.nearby",
            }
        )
