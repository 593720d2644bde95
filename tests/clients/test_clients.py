"""Real clients do the main job: search, buy, configure, list with paging, follow, release."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients.conftest import APP, BUILD
from tests.support.gateway_in_thread import RunningGateway, running_gateway
from tests.support.node import node_json
from tests.support.sandbox_in_thread import RunningSandbox, SandboxAccount
from tests.support.streams import buy, credentials
from tests.support.tokens import TOKENS_MODE, token

OWNED = 4
# Of @defer: was it partial at first, and what came in the end. Of @stream: how many items at first
# and in the end. Of the cache: the name that a mutation gave.
EXTRAS = {"partial": [True], "similar": 2, "streamed": [1, 3], "names": ["Front desk"]}


@pytest.fixture
def account(sandbox: RunningSandbox) -> SandboxAccount:
    """An account that owns a few numbers."""
    return sandbox.create_account(role="frontend", catalog=True, owned=OWNED)


def named(gateway: RunningGateway, account: SandboxAccount) -> dict[str, str]:
    """Return where the gateway is and who asks, as jobs read it from their environment."""
    found = gateway.sandbox.client.get("/_sandbox/numbers", params={"account_sid": account.sid})
    return {
        "OWNED_SID": found.json()["numbers"][0]["sid"],
        "GATEWAY_URL": f"{gateway.url}/graphql",
        "ACCOUNT_SID": account.sid,
        "AUTH_TOKEN": account.auth_token,
    }


def job(
    gateway: RunningGateway, account: SandboxAccount, name: str, *arguments: str
) -> dict[str, Any]:
    """Run the main job with a client and check what all of them must have seen."""
    before = len(gateway.sandbox.ledger())
    report: dict[str, Any] = node_json(
        "--import",
        "./browser.mjs",
        f"build/out/jobs/{name}.js",
        *arguments,
        environment=named(gateway, account),
    )
    assert report["warnings"] == []
    sid = report["number"]["sid"]
    assert report["friendlyName"] == "Front desk"
    assert len(report["listed"]) == len(set(report["listed"])) == OWNED + 1
    assert sid in report["listed"]
    assert report["pages"] == 3
    assert report["kinds"] == ["PURCHASED", "CONFIGURED", "RELEASED"]
    assert report["released"] == sid
    written = [entry for entry in gateway.sandbox.ledger()[before:] if entry["sid"] == sid]
    assert [entry["action"] for entry in written] == ["bought", "configured", "released"]
    return report


@pytest.mark.usefixtures("app")
def test_apollo_client(gateway: RunningGateway, account: SandboxAccount) -> None:
    """With its persisted queries by GET, merged pages, @defer, @stream, and a socket for events."""
    report = job(gateway, account, "apollo")
    assert report["extras"] == EXTRAS


@pytest.mark.usefixtures("app")
def test_apollo_client_over_http_alone(gateway: RunningGateway, account: SandboxAccount) -> None:
    """With its older form of increments, and subscriptions as multipart."""
    report = node_json("build/out/jobs/apollo-http.js", environment=named(gateway, account))
    assert report == {"states": ["streaming", "complete"], "streamed": [1, 3]}


@pytest.fixture(scope="module")
def screens(app: Path, shared_sandbox: RunningSandbox) -> Iterator[RunningGateway]:
    """A gateway that knows Relay's documents, and runs others, too."""
    trusted = app / "persisted-queries.json"
    with running_gateway(shared_sandbox, trusted_documents=trusted) as gateway:
        yield gateway


@pytest.mark.parametrize(
    ("client", "catalog"), [("apollo", True), ("urql", False), ("relay", True)]
)
def test_a_screen_of_the_page_stays_true_and_complains_of_nothing(
    screens: RunningGateway, client: str, catalog: bool
) -> None:
    """It lists, searches, buys and releases; what is changed and released elsewhere is seen there,
    too, also if its connection was broken meanwhile; and no answer makes the cache forget or
    contradict what the gateway says.
    """
    account = screens.sandbox.create_account(role="frontend", catalog=catalog, owned=OWNED)
    report = node_json(
        *("--import", "./browser.mjs", "--import", "./page.mjs"),
        f"build/out/jobs/{client}-screen.js",
        environment=named(screens, account),
    )
    assert report == {"warnings": []}


def test_a_screen_in_a_terminal_lists_buys_and_follows(
    screens: RunningGateway, account: SandboxAccount
) -> None:
    report = node_json(
        *("--import", "./browser.mjs"),
        "build/out/jobs/requests-screen.js",
        environment=named(screens, account),
    )
    assert report["warnings"] == []
    kinds = [line.split()[0] for line in report["lines"]]
    assert kinds[:OWNED] == ["OWNED"] * OWNED
    assert kinds.count("BOUGHT") == 1
    assert kinds[-1] == "RELEASED"


def test_a_backend_fills_a_screen_in_one_round_trip_with_a_token(
    app: Path, shared_sandbox: RunningSandbox
) -> None:
    """The document goes by its id, nothing else runs, and its price is told before."""
    parent = shared_sandbox.accounts()["parent"]
    manifest = app / "persisted-query-manifest.json"
    with running_gateway(
        shared_sandbox,
        **TOKENS_MODE,
        account_sid=parent.sid,
        auth_token=parent.auth_token,
        trusted_documents=manifest,
        trusted_documents_only=True,
    ) as gateway:
        environment = {"GATEWAY_URL": f"{gateway.url}/graphql"}

        def report(scope: str) -> dict[str, Any]:
            arguments = (str(manifest), token(parent.sid, scope=scope))
            done: dict[str, Any] = node_json(
                "build/out/jobs/bff.js", *arguments, environment=environment
            )
            return done

        allowed = report("numbers:read accounts:read")
        assert allowed["price"]["extensions"]["plan"]["calls"]["max"] >= 3
        assert set(allowed["screen"]) == {"data"}
        assert allowed["screen"]["data"]["account"]["id"] == parent.sid
        refused = report("numbers:read")["screen"]["errors"][0]["extensions"]
        assert refused["code"] == "FORBIDDEN"
        assert refused["requiredScopes"] == ["accounts:read"]


@pytest.mark.usefixtures("app")
def test_urql(gateway: RunningGateway, account: SandboxAccount) -> None:
    """With its normalized cache, @defer, @stream, and server-sent events."""
    report = job(gateway, account, "urql")
    assert report["extras"] == EXTRAS


@pytest.mark.usefixtures("app")
def test_a_purchase_on_a_bad_network_is_sent_again_and_made_once(
    gateway: RunningGateway, account: SandboxAccount
) -> None:
    before = len(gateway.sandbox.ledger())
    report = node_json("build/out/jobs/urql-buy.js", environment=named(gateway, account))
    [entry] = gateway.sandbox.ledger()[before:]
    assert entry["action"] == "bought"
    assert report == {"sid": entry["sid"], "errors": [], "error": None}


@pytest.mark.usefixtures("app")
def test_graphql_request(gateway: RunningGateway, account: SandboxAccount) -> None:
    job(gateway, account, "requests")


@pytest.mark.usefixtures("app")
@pytest.mark.parametrize("client", ["graphql-ws", "graphql-sse"])
def test_everything_over_one_stream(
    gateway: RunningGateway, account: SandboxAccount, client: str
) -> None:
    job(gateway, account, "streaming", client)


def test_relay_with_the_documents_that_its_compiler_wrote(
    app: Path, sandbox: RunningSandbox, account: SandboxAccount
) -> None:
    """Nothing else than those documents runs."""
    with running_gateway(
        sandbox, trusted_documents=app / "persisted-queries.json", trusted_documents_only=True
    ) as gateway:
        job(gateway, account, "relay")
        refused = gateway.post({"query": "{ account { sid } }"}).json()["errors"][0]
        assert refused["extensions"]["code"] == "DOCUMENT_NOT_TRUSTED"


def test_apollo_client_with_the_manifest_that_its_generator_wrote(
    app: Path, sandbox: RunningSandbox, account: SandboxAccount
) -> None:
    """The hashes that the APQ link sends are the manifest's ids."""
    with running_gateway(
        sandbox,
        trusted_documents=app / "persisted-query-manifest.json",
        trusted_documents_only=True,
    ) as gateway:
        job(gateway, account, "apollo", "without-details")


@pytest.mark.usefixtures("app")
def test_the_shell_snippet_follows_an_account(
    gateway: RunningGateway, account: SandboxAccount
) -> None:
    environment = {
        **os.environ,
        "URL": f"{gateway.url}/graphql",
        "AUTHORIZATION": credentials(account)["Authorization"],
    }
    with subprocess.Popen(  # noqa: S603 - the page's own snippet
        ["/bin/sh", str(APP / "follow.sh")], env=environment, stdout=subprocess.PIPE, text=True
    ) as follower:
        assert follower.stdout is not None
        assert follower.stdout.readline() == ": following\n"
        number = buy(gateway, account)
        lines = [follower.stdout.readline() for _ in range(4)]
        follower.terminate()
    assert lines[1] == "event: next\n"
    assert f'"kind":"PURCHASED","numberId":"{number["sid"]}"' in lines[3]


def test_every_snippet_of_the_page_is_compiled_or_run(app: Path) -> None:
    sources = {path.relative_to(app / "src").with_suffix("") for path in app.glob("src/*.ts")}
    compiled = BUILD / "out" / "build" / "app" / "src"
    for source in sources:
        assert (compiled / source).with_suffix(".js").is_file(), source


def test_signs_of_life_disturb_no_client(sandbox: RunningSandbox) -> None:
    """Apollo Client in both forms of increments, urql, Relay with its usual readers of parts; and
    graphql-ws, on which all of them rely for WebSockets.
    """
    account = sandbox.create_account(role="frontend", catalog=True, owned=OWNED)
    similar = {"kind": "latency", "path": "*Available*", "latency_ms": 400, "count": 50}
    sandbox.set_faults([similar])
    with running_gateway(sandbox, keep_alive=0.05) as gateway:
        environment = named(gateway, account)
        report = node_json("parts.mjs", environment=environment)
    assert report.pop("heard") == environment["OWNED_SID"]
    assert report.pop("socket") == account.sid
    assert report == {name: [1, 1] for name in ("apollo", "apolloOfToday", "urql", "relay")}
