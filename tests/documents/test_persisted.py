"""Persisted documents: registered by hash (Apollo's protocol), or trusted by a manifest."""

import asyncio
import hashlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from gateway.documents.documents import Documents
from gateway.documents.parameters import Params
from gateway.documents.persisted import Persisted, PersistedOptions
from gateway.documents.trusted import BadManifest, read_manifest
from gateway.errors import PersistedQueryNotFound
from gateway.pipeline.turns import Turns
from gateway.storage.store import MemoryStore
from schema import build_schema
from tests.support.bare_settings import bare_settings
from tests.support.gateway_in_thread import RunningGateway, running_gateway
from tests.support.sandbox_in_thread import RunningSandbox
from tests.support.waiting import PATIENCE

ACCOUNT = "query Who { account { sid } }"
COUNTRIES = "query Where { countries { code } }"


def extension(query: str, **changes: Any) -> dict[str, Any]:
    digest = hashlib.sha256(query.encode()).hexdigest()
    return {"persistedQuery": {"version": 1, "sha256Hash": digest, **changes}}


def code(answer: httpx.Response) -> str:
    (error,) = answer.json()["errors"]
    found: str = error["extensions"]["code"]
    return found


def get(gateway: RunningGateway, headers: dict[str, str] | None = None, **params: Any) -> Any:
    params = {k: v if isinstance(v, str) else json.dumps(v) for k, v in params.items()}
    return gateway.http.get(
        f"{gateway.url}/graphql", params=params, auth=gateway.account.auth, headers=headers
    )


def kept_in(store: MemoryStore, **settings: Any) -> Persisted:
    documents, turns = Documents(build_schema()._schema), Turns()
    return Persisted(bare_settings(**settings).pick(PersistedOptions), store, documents, turns.turn)


# Registered by clients ----------------------------------------------------------------------------


def test_an_unknown_hash_asks_for_the_text_and_then_suffices(gateway: RunningGateway) -> None:
    query = f"query First {{ account {{ sid }} }} # {time.time_ns()}"
    unknown = gateway.post({"extensions": extension(query)})
    assert unknown.status_code == 200
    assert unknown.json()["errors"][0]["message"] == "PersistedQueryNotFound"
    assert code(unknown) == "PERSISTED_QUERY_NOT_FOUND"
    assert unknown.headers["cache-control"] == "no-store"
    both = gateway.post({"query": query, "extensions": extension(query)})
    alone = gateway.post({"extensions": extension(query)})
    by_get = get(gateway, extensions=extension(query))
    assert (
        both.json()
        == alone.json()
        == by_get.json()
        == {"data": {"account": {"sid": gateway.account.sid}}}
    )


def test_text_can_be_registered_by_get(gateway: RunningGateway) -> None:
    query = f"{{ account {{ sid }} }} # {time.time_ns()}"
    assert get(gateway, query=query, extensions=extension(query)).json()["data"]
    assert get(gateway, extensions=extension(query)).json()["data"]


def test_a_hash_that_does_not_fit_registers_nothing(gateway: RunningGateway) -> None:
    query = f"{{ account {{ sid }} }} # {time.time_ns()}"
    wrong = gateway.post({"query": ACCOUNT, "extensions": extension(query)})
    assert wrong.status_code == 400
    assert code(gateway.post({"extensions": extension(query)})) == "PERSISTED_QUERY_NOT_FOUND"


def test_a_document_that_cannot_run_is_not_registered(gateway: RunningGateway) -> None:
    query = f"{{ nothing }} # {time.time_ns()}"
    invalid = gateway.post({"query": query, "extensions": extension(query)})
    assert code(invalid) == "GRAPHQL_VALIDATION_FAILED"
    assert code(gateway.post({"extensions": extension(query)})) == "PERSISTED_QUERY_NOT_FOUND"


@pytest.mark.parametrize("changes", [{"version": 2}, {"sha256Hash": 7}, {"version": None}])
def test_other_protocols_are_not_supported(
    gateway: RunningGateway, changes: dict[str, Any]
) -> None:
    answer = gateway.post({"query": ACCOUNT, "extensions": extension(ACCOUNT, **changes)})
    assert code(answer) == "PERSISTED_QUERY_NOT_SUPPORTED"


def test_mutations_by_hash_are_refused_by_get(gateway: RunningGateway) -> None:
    number = '{phoneNumber: "+14155550100", dryRun: true}'
    query = f"mutation {{ purchasePhoneNumber(input: {number}) {{ replayed }} }}"
    assert gateway.post({"query": query, "extensions": extension(query)}).json()["data"]
    assert get(gateway, extensions=extension(query)).status_code == 405


def test_processes_share_registered_documents_through_the_store() -> None:
    store = MemoryStore()
    one, other = (kept_in(store) for _ in range(2))
    asyncio.run(one.document(Params(ACCOUNT, None, {}, extension(ACCOUNT)), "me"))
    found = asyncio.run(other.document(Params("", None, {}, extension(ACCOUNT)), "me"))
    assert found.text == ACCOUNT


def test_a_document_over_the_limit_runs_but_is_not_kept() -> None:
    store = MemoryStore()
    persisted = kept_in(store, persisted_query_limit=1024)
    large = ACCOUNT + "#" * 1024
    assert not asyncio.run(
        persisted.document(Params(large, None, {}, extension(large)), "me")
    ).errors
    with pytest.raises(PersistedQueryNotFound):
        asyncio.run(persisted.document(Params("", None, {}, extension(large)), "me"))


def test_texts_that_are_kept_beside_the_store_do_not_fill_the_memory() -> None:
    persisted = kept_in(MemoryStore())
    texts = [f"#{index}" + "a" * 60_000 + "\n{ __typename }" for index in range(100)]
    for text in (*texts, texts[-1]):
        asyncio.run(persisted.document(Params(text, None, {}, extension(text)), "me"))
    assert 60 < len(persisted._recent) < 70
    assert not asyncio.run(
        persisted.document(Params("", None, {}, extension(texts[0])), "me")
    ).errors


def test_whatever_names_it_a_document_that_is_not_in_memory_waits_for_its_callers_turn() -> None:
    turns: list[str] = []

    async def turn(principal: str) -> None:
        turns.append(principal)

    options = bare_settings().pick(PersistedOptions)
    documents = Documents(build_schema()._schema, most=1)
    persisted = Persisted(options, MemoryStore(), documents, turn)

    async def ask(query: str, named: str, principal: str) -> None:
        found = await persisted.document(Params(query, None, {}, extension(named)), principal)
        assert found.text == named

    async def scenario() -> None:
        await ask(ACCOUNT, ACCOUNT, "one")
        await ask("", ACCOUNT, "two")  # It is in memory.
        await ask(COUNTRIES, COUNTRIES, "three")
        await ask("", ACCOUNT, "four")  # The other one has taken its place.

    asyncio.run(scenario())
    assert turns == ["one", "three", "four"]


def test_registering_can_be_turned_off(sandbox: RunningSandbox) -> None:
    with running_gateway(sandbox, persisted_queries=False) as gateway:
        answer = gateway.post({"query": ACCOUNT, "extensions": extension(ACCOUNT)})
        assert answer.json()["errors"][0]["message"] == "PersistedQueryNotSupported"
        assert gateway.post({"query": ACCOUNT}).json()["data"]


# What HTTP caches make of them --------------------------------------------------------------------


def test_a_get_by_hash_has_an_etag_and_asking_again_costs_no_body(gateway: RunningGateway) -> None:
    gateway.post({"query": COUNTRIES, "extensions": extension(COUNTRIES)})
    first = get(gateway, extensions=extension(COUNTRIES))
    assert first.headers["cache-control"] == "private, max-age=3600"
    etag = first.headers["etag"]
    again = get(gateway, extensions=extension(COUNTRIES), headers={"if-none-match": etag})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == etag
    assert "content-encoding" not in again.headers
    other = get(gateway, extensions=extension(COUNTRIES), headers={"if-none-match": '"other"'})
    assert (other.status_code, other.json()) == (200, first.json())


def test_a_get_by_hash_without_a_hint_must_be_asked_again_each_time(
    gateway: RunningGateway,
) -> None:
    gateway.post({"query": ACCOUNT, "extensions": extension(ACCOUNT)})
    answer = get(gateway, extensions=extension(ACCOUNT))
    assert answer.headers["cache-control"] == "private, no-cache"
    assert answer.headers["etag"]


def test_a_post_and_a_get_with_text_have_no_etag(gateway: RunningGateway) -> None:
    gateway.post({"query": COUNTRIES, "extensions": extension(COUNTRIES)})
    assert "etag" not in gateway.post({"extensions": extension(COUNTRIES)}).headers
    assert "etag" not in get(gateway, query=COUNTRIES).headers


# Trusted by a manifest ----------------------------------------------------------------------------


def apollo(**documents: str) -> str:
    operations = [
        {"id": name, "body": body, "name": name, "type": "query"}
        for name, body in documents.items()
    ]
    manifest = {"format": "apollo-persisted-query-manifest", "version": 1}
    return json.dumps({**manifest, "operations": operations})


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    path = tmp_path / "documents.json"
    path.write_text(apollo(who=ACCOUNT))
    return path


@pytest.fixture
def trusting(sandbox: RunningSandbox, manifest: Path) -> Iterator[RunningGateway]:
    with running_gateway(
        sandbox, trusted_documents=manifest, trusted_documents_only=True
    ) as gateway:
        yield gateway


def test_only_documents_of_the_manifest_run(trusting: RunningGateway) -> None:
    expected = {"data": {"account": {"sid": trusting.account.sid}}}
    by_hash = {"persistedQuery": {"version": 1, "sha256Hash": "who"}}
    assert trusting.post({"documentId": "who"}).json() == expected
    assert trusting.post({"extensions": by_hash}).json() == expected
    assert get(trusting, documentId="who").json() == expected
    assert trusting.post({"query": ACCOUNT}).json() == expected
    assert code(trusting.post({"query": COUNTRIES})) == "DOCUMENT_NOT_TRUSTED"
    assert code(trusting.post({"documentId": "where"})) == "DOCUMENT_NOT_TRUSTED"
    registering = trusting.post({"query": COUNTRIES, "extensions": extension(COUNTRIES)})
    assert code(registering) == "DOCUMENT_NOT_TRUSTED"


def test_a_manifest_is_read_again_when_it_changes(trusting: RunningGateway, manifest: Path) -> None:
    new = manifest.with_suffix(".new")
    new.write_text(json.dumps({"where": COUNTRIES}))
    new.replace(manifest)
    deadline = time.monotonic() + PATIENCE
    while "errors" in trusting.post({"documentId": "where"}).json():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert code(trusting.post({"documentId": "who"})) == "DOCUMENT_NOT_TRUSTED"
    manifest.write_text("{ broken")
    time.sleep(1.2)
    assert trusting.post({"documentId": "where"}).json()["data"]


def test_a_manifest_beside_text_only_adds_names(sandbox: RunningSandbox, manifest: Path) -> None:
    with running_gateway(sandbox, trusted_documents=manifest) as gateway:
        assert gateway.post({"documentId": "who"}).json()["data"]
        assert gateway.post({"query": COUNTRIES}).json()["data"]
        digest = hashlib.sha256(COUNTRIES.encode()).hexdigest()
        gateway.post({"query": COUNTRIES, "extensions": extension(COUNTRIES)})
        assert gateway.post({"documentId": f"sha256:{digest}"}).json()["data"]


def test_ids_of_a_manifest_may_have_the_prefix_of_hashes(tmp_path: Path) -> None:
    path = tmp_path / "documents.json"
    path.write_text(json.dumps({"sha256:abc": ACCOUNT, "def": COUNTRIES}))
    persisted = kept_in(MemoryStore(), trusted_documents=path, trusted_documents_only=True)
    for name, text in [("sha256:abc", ACCOUNT), ("sha256:def", COUNTRIES), ("def", COUNTRIES)]:
        document = asyncio.run(persisted.document(Params("", None, {}, {}, name), "me"))
        assert document.text == text


def test_documents_of_a_manifest_that_cannot_run_are_logged(tmp_path: Path) -> None:
    path = tmp_path / "documents.json"
    path.write_text(json.dumps({"good": ACCOUNT, "bad": "{ nothing }"}))
    with capture_logs() as lines:
        kept_in(MemoryStore(), trusted_documents=path)
    (line,) = lines
    assert (line["event"], line["id"]) == ("manifest_document_invalid", "bad")
    assert "nothing" in line["problem"]


def test_both_forms_of_manifest_are_read() -> None:
    assert read_manifest(apollo(a=ACCOUNT).encode()) == {"a": ACCOUNT}
    assert read_manifest(json.dumps({"b": COUNTRIES}).encode()) == {"b": COUNTRIES}


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        '{"a": 1}',
        '{"format": "other", "version": 1, "operations": []}',
        '{"format": "apollo-persisted-query-manifest", "version": 2, "operations": []}',
        '{"format": "apollo-persisted-query-manifest", "version": 1, "operations": [{"id": "a"}]}',
        '{"format": "apollo-persisted-query-manifest", "version": 1, "operations": [1]}',
    ],
)
def test_other_manifests_are_refused(content: str) -> None:
    with pytest.raises(BadManifest):
        read_manifest(content.encode())


def test_trusting_only_a_manifest_needs_one() -> None:
    with pytest.raises(ValueError, match="trusted_documents"):
        kept_in(MemoryStore(), trusted_documents_only=True)
