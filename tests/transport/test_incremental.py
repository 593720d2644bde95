"""@defer and @stream: what is slow comes later, in the forms that clients read."""

import json
import re
from typing import Any

import httpx
import pytest

from tests.support.gateway_in_thread import RunningGateway, running_gateway
from tests.support.sandbox_in_thread import RunningSandbox

DEFER = """query ($late: Boolean = true) {
  phoneNumbers(first: 3) { nodes {
    sid
    ... @defer(if: $late, label: "similar") { similarAvailable(within: LATA, first: 1) { nodes { phoneNumber } } }
  } }
}"""
STREAM = """{
  phoneNumbers(first: 4) { nodes @stream(initialCount: 1, label: "rest") {
    sid similarAvailable(within: LATA, first: 1) { nodes { phoneNumber } }
  } }
}"""
NESTED = """{
  phoneNumbers(first: 3) { nodes @stream(initialCount: 1) {
    sid
    similarAvailable(within: REGION, first: 3) { nodes @stream(initialCount: 1) { phoneNumber } }
  } }
}"""
DEFERRED_STREAM = """{
  account { sid }
  ... @defer {
    phoneNumbers(first: 4) { nodes @stream(initialCount: 2) { sid } }
  }
}"""
CURRENT = "multipart/mixed;incrementalSpec=v0.2, application/json"
OLD = "multipart/mixed;deferSpec=20220824, application/json"
# As urql asks; it reads the paths.
BARE = "application/graphql-response+json, application/json, text/event-stream, multipart/mixed"


def boundary_of(answer: httpx.Response) -> str:
    """Return the boundary of a multipart answer, which is quoted as all clients read it."""
    found = re.match(r'multipart/mixed; boundary="([0-9a-z]+)"; ', answer.headers["content-type"])
    assert found
    return found[1]


def seen_by_apollo_ios(answer: httpx.Response) -> list[Any]:
    """Return the payloads that Apollo iOS 2 finds in a multipart answer to a query.

    Source: AsyncHTTPResponseChunkSequence and MultipartResponseDeferParser.
    """
    delimiter = f"\r\n--{boundary_of(answer)}".encode()
    chunks, buffer = [], b""
    for byte in answer.content:
        buffer += bytes([byte])
        if buffer.endswith(delimiter):
            chunks.append(buffer[: -len(delimiter)])
            buffer = b""
    chunks.append(buffer)
    payloads = []
    for each in chunks:
        chunk = each.removeprefix(b"\r\n")
        if not chunk or chunk.startswith(b"--"):
            continue
        header, _, content = chunk.partition(b"\r\n\r\n")
        media = header.partition(b": ")[2].partition(b"; ")[0]
        assert media in {b"application/json", b"application/graphql-response+json"}
        payload = json.loads(content)
        assert payload.keys() & {"data", "incremental"}, "Apollo iOS gives up"
        assert "hasNext" in payload, "Apollo iOS gives up"
        payloads.append(payload)
    return payloads


def parts(gateway: RunningGateway, query: str, accept: str, **variables: Any) -> list[Any]:
    """Return the payloads of a multipart answer."""
    answer = gateway.post({"query": query, "variables": variables}, headers={"accept": accept})
    assert answer.status_code == 200
    head, *pieces, end = answer.text.split(f"\r\n--{boundary_of(answer)}")
    assert (head, end) == ("", "--\r\n")
    payloads = []
    for piece in pieces:
        headers, _, body = piece.partition("\r\n\r\n")
        assert headers.strip() == "content-type: application/json; charset=utf-8"
        payloads.append(json.loads(body))
    assert [each["hasNext"] for each in payloads] == [True] * (len(payloads) - 1) + [False]
    return payloads


def merged(payloads: list[Any]) -> Any:
    """Put the payloads of the current form together, as a client does."""
    first, *updates = payloads
    data, pending = first["data"], {each["id"]: each for each in first["pending"]}
    for update in updates:
        pending |= {each["id"]: each for each in update.get("pending", ())}
        for each in update.get("incremental", ()):
            target = data
            for step in pending[each["id"]]["path"] + each.get("subPath", []):
                target = target[step]
            if "items" in each:
                target.extend(each["items"])
            else:
                target.update(each["data"])
    return data


def merged_by_paths(payloads: list[Any]) -> Any:
    """Put the payloads of the form of 2022 together, as a client does."""
    first, *updates = payloads
    for update in updates:
        for each in update.get("incremental", ()):
            path: list[Any] = ["data", *each["path"]]
            last = path.pop()
            target = first
            for step in path:
                target = target[step]
            if "items" in each:
                target[last : last + len(each["items"])] = each["items"]
            else:
                target[last].update(each["data"])
    return first["data"]


@pytest.mark.parametrize("query", [DEFER, STREAM, NESTED, DEFERRED_STREAM])
@pytest.mark.parametrize("form", [CURRENT, OLD, BARE])
def test_the_parts_add_up_to_the_whole_answer(
    gateway: RunningGateway, query: str, form: str
) -> None:
    whole = gateway.query(query)
    payloads = parts(gateway, query, form)
    assert len(payloads) > 1
    assert len(json.dumps(payloads[0]["data"])) < len(json.dumps(whole))
    assert (merged if form is CURRENT else merged_by_paths)(payloads) == whole


def test_the_quick_part_leaves_before_the_slow_one_is_asked_for(
    gateway: RunningGateway, sandbox: RunningSandbox
) -> None:
    sandbox.set_faults([{"kind": "latency", "path": "*Available*", "latency_ms": 2500, "count": 9}])
    accept = {"accept": CURRENT}
    with gateway.http.stream(
        "POST",
        f"{gateway.url}/graphql",
        json={"query": DEFER},
        headers=accept,
        auth=gateway.account.auth,
    ) as answer:
        lines = answer.iter_lines()
        first = json.loads(next(line for line in lines if line.startswith("{")))
        assert first["data"]["phoneNumbers"]["nodes"][0]["sid"]
        asked = [each["status"] for each in sandbox.requests() if "Available" in each["path"]]
        assert not any(asked)
        assert any("similarAvailable" in line for line in lines)


@pytest.mark.parametrize("form", [CURRENT, OLD])
def test_signs_of_life_come_behind_the_first_part(sandbox: RunningSandbox, form: str) -> None:
    """Clients take the first part for the initial result, whatever is in it."""
    with running_gateway(sandbox, keep_alive=0.1) as gateway:
        sandbox.set_faults([{"kind": "latency", "latency_ms": 500, "count": 3}])
        first, *updates = parts(gateway, DEFER, form)
    assert first["data"]["phoneNumbers"]["nodes"][0]["sid"]
    assert {"incremental": [], "hasNext": True} in updates
    assert (merged if form is CURRENT else merged_by_paths)([first, *updates])


@pytest.mark.parametrize("query", [DEFER, STREAM, NESTED, DEFERRED_STREAM])
def test_apollo_ios_reads_every_part(sandbox: RunningSandbox, query: str) -> None:
    """Also signs of life, and the part that only says that all has come."""
    with running_gateway(sandbox, keep_alive=0.05) as gateway:
        latency = {"kind": "latency", "path": "*Available*", "latency_ms": 200, "count": 2}
        sandbox.set_faults([latency])
        answer = gateway.post({"query": query}, headers={"accept": OLD})
        payloads = seen_by_apollo_ios(answer)
        assert merged_by_paths(payloads) == gateway.query(query)


def test_no_two_answers_have_the_same_boundary(gateway: RunningGateway) -> None:
    """So nobody can put one into data, where clients would see the end of a part."""
    answers = [gateway.post({"query": DEFER}, headers={"accept": OLD}) for _ in range(3)]
    assert len({boundary_of(each) for each in answers}) == 3
    assert all(each.text.startswith(f"\r\n--{boundary_of(each)}\r\n") for each in answers)


def test_labels_come_back(gateway: RunningGateway) -> None:
    pending = parts(gateway, DEFER, CURRENT)[0]["pending"]
    assert {each["label"] for each in pending} == {"similar"}
    updates = parts(gateway, DEFER, OLD)[1:]
    labels = {each["label"] for update in updates for each in update.get("incremental", ())}
    assert labels == {"similar"}


def test_what_is_not_deferred_after_all_is_one_part(gateway: RunningGateway) -> None:
    (only,) = parts(gateway, DEFER, CURRENT, late=False)
    assert only["data"]["phoneNumbers"]["nodes"][0]["similarAvailable"]


def test_a_client_that_reads_one_answer_gets_the_whole_at_once(gateway: RunningGateway) -> None:
    answer = gateway.post({"query": DEFER}, headers={"accept": "application/json"})
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert answer.json()["data"]["phoneNumbers"]["nodes"][0]["similarAvailable"]


@pytest.mark.parametrize("form", [CURRENT, OLD, BARE])
def test_an_error_in_a_late_part_is_told_with_that_part(
    gateway: RunningGateway, sandbox: RunningSandbox, form: str
) -> None:
    sandbox.set_faults([{"kind": "status", "status": 400, "path": "*Available*", "count": 9}])
    first, *updates = parts(gateway, DEFER, form)
    assert "errors" not in first
    late = [each for update in updates for each in update.get("incremental", ())]
    failed = [each for each in late if each.get("errors")]
    assert failed
    assert all(each["data"] == {"similarAvailable": None} for each in failed)
    assert all(each["errors"][0]["extensions"]["code"].startswith("UPSTREAM") for each in failed)


@pytest.mark.parametrize(
    ("query", "key", "place"),
    [(DEFER, "data", 0), (STREAM, "items", 1)],
)
def test_a_search_that_fails_late_takes_nothing_with_it(
    gateway: RunningGateway, sandbox: RunningSandbox, query: str, key: str, place: int
) -> None:
    latency = {"kind": "latency", "path": "*Available*", "latency_ms": 0, "count": 1}
    refused = {"kind": "status", "status": 400, "path": "*Available*", "count": 9}
    sandbox.set_faults([latency, refused] if query is STREAM else [refused])
    updates = parts(gateway, query, OLD)[1:]
    late = [each for update in updates for each in update.get("incremental", ())]
    [failed] = [each for each in late if each["path"] == ["phoneNumbers", "nodes", place]]
    shown = failed[key] if key == "data" else failed[key][0]
    assert shown["similarAvailable"] is None
    assert key == "data" or shown["sid"]
    [error] = failed["errors"]
    assert error["path"][-1] == "similarAvailable"


def test_a_document_that_cannot_run_is_one_part_with_errors(gateway: RunningGateway) -> None:
    (only,) = parts(gateway, "{ nothing ... @defer { account { sid } } }", CURRENT)
    assert list(only) == ["errors", "hasNext"]


@pytest.mark.parametrize(
    "query",
    [
        "{ nothing ... @defer { account { sid } } }",
        "query ($n: Int!) { account { sid ... @defer { type } } phoneNumbers(first: $n) { nodes { sid } } }",
    ],
)
def test_apollo_ios_reads_why_a_document_cannot_run(gateway: RunningGateway, query: str) -> None:
    answer = gateway.post({"query": query}, headers={"accept": OLD})
    (only,) = seen_by_apollo_ios(answer)
    assert only["errors"]
    assert (only["data"], only["hasNext"]) == (None, False)


def test_mutations_are_not_deferred_into_doing_nothing(gateway: RunningGateway) -> None:
    gateway.sandbox.put_number(None, "+13025550100")
    query = """mutation { purchasePhoneNumber(input: {phoneNumber: "+13025550100", dryRun: true}) {
      ... @defer { wouldSend { method } } replayed
    } }"""
    payloads = parts(gateway, query, CURRENT)
    assert merged(payloads)["purchasePhoneNumber"]["wouldSend"] == {"method": "POST"}


@pytest.mark.parametrize(
    ("argument", "default", "value"),
    [
        ("initialCount", "Int = 0", None),
        ("initialCount", "Int = 0", -1),
        ("if", "Boolean = true", None),
    ],
)
def test_what_cannot_be_streamed_is_not_bought_first(
    gateway: RunningGateway, argument: str, default: str, value: int | None
) -> None:
    gateway.sandbox.put_number(None, "+13025550101")
    query = f"""mutation ($value: {default}) {{
      purchasePhoneNumbers(input: {{ items: [{{ phoneNumber: "+13025550101" }}] }}) {{
        results @stream({argument}: $value) {{ phoneNumber {{ sid }} }}
      }}
    }}"""
    answer = gateway.post(
        {"query": query, "variables": {"value": value}}, headers={"accept": CURRENT}
    )
    assert answer.text.count('"code":"BAD_USER_INPUT"') == 1
    assert '"data"' not in answer.text
    assert "POST" not in [each["method"] for each in gateway.sandbox.requests()]


def test_what_is_not_streamed_may_say_so_wrongly(gateway: RunningGateway) -> None:
    wrong = "phoneNumbers(first: 2) { nodes @stream(initialCount: -1%s) { sid } }"
    query = f"""query Asked($no: Boolean!) {{
      phoneNumbers(first: 2) {{ nodes @stream(initialCount: 1) {{ sid }} }}
      off: {wrong % ", if: $no"}
      ...Out @include(if: $no)
    }}
    fragment Out on Query {{ out: {wrong % ""} }}
    query Other {{ {wrong % ""} }}"""
    asked = {"query": query, "operationName": "Asked", "variables": {"no": False}}
    answer = gateway.post(asked, headers={"accept": CURRENT})
    assert answer.text.count('"sid"') == 4
    assert "errors" not in answer.text
