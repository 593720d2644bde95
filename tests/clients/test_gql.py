"""Python's `gql` does the main job, with the snippet of the page for frontend developers."""

import asyncio
import contextlib
import importlib
import sys
from collections.abc import Callable, Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from gql import GraphQLRequest, gql

from tests.clients.conftest import snippets
from tests.support.gateway_in_thread import RunningGateway
from tests.support.sandbox_in_thread import RunningSandbox
from tests.support.streams import buy
from tests.support.waiting import PATIENCE

SEARCH = gql("query { availablePhoneNumbers(country: US, first: 1) { nodes { phoneNumber } } }")
NUMBERS = gql("""query ($first: Int!, $after: String) {
  phoneNumbers(first: $first, after: $after) {
    nodes { sid } pageInfo { endCursor hasNextPage }
  }
}""")
CHANGES = gql("subscription { phoneNumberChanged { kind numberId } }")


def mutation(name: str, wanted: str) -> Callable[..., GraphQLRequest]:
    kind = name[0].upper() + name[1:] + "Input"
    query = gql(
        f"mutation ($input: {kind}!) {{ {name}(input: $input) {{ {wanted} userErrors {{ code }} }} }}"
    )

    def with_input(**values: Any) -> GraphQLRequest:
        return GraphQLRequest(query, variable_values={"input": values})

    return with_input


BUY = mutation("purchasePhoneNumber", "phoneNumber { sid phoneNumber }")
CONFIGURE = mutation("configurePhoneNumber", "phoneNumber { friendlyName }")
RELEASE = mutation("releasePhoneNumber", "releasedId")


@pytest.fixture(scope="module")
def screen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """The module of the screen, beside that of the client, as files."""
    folder = tmp_path_factory.mktemp("python")
    for name in ("client.py", "screen.py"):
        (folder / name).write_text(snippets()[name])
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield importlib.import_module("screen")
        for name in ("client", "screen"):
            patch.delitem(sys.modules, name)


@pytest.fixture(scope="module")
def snippet() -> SimpleNamespace:
    """The names that the snippet defines."""
    names: dict[str, Any] = {}
    exec(snippets()["client.py"], names)  # noqa: S102 - the page's own snippet
    return SimpleNamespace(**names)


def test_gql(gateway: RunningGateway, sandbox: RunningSandbox, snippet: SimpleNamespace) -> None:
    account = sandbox.create_account(role="frontend", catalog=True, owned=4)
    url = f"{gateway.url}/graphql"
    headers = snippet.authorization(account.sid, account.auth_token)

    async def scenario() -> None:
        changes: list[tuple[str, str]] = []

        async def follow() -> None:
            async with snippet.socket_client(url, headers) as session:
                async for event in session.subscribe(CHANGES):
                    change = event["phoneNumberChanged"]
                    changes.append((change["kind"], change["numberId"]))
                    if change["kind"] == "RELEASED":
                        return

        following = asyncio.ensure_future(follow())
        async with snippet.http_client(url, headers) as session:
            # Nothing tells that the subscription is in force, so change a number until it is heard.
            other = (await pages(session, 4))[0]
            async with asyncio.timeout(PATIENCE):
                while not changes:
                    await session.execute(CONFIGURE(sid=other, configuration={"friendlyName": "?"}))
                    await asyncio.sleep(0.1)
            found = await session.execute(SEARCH)
            number = found["availablePhoneNumbers"]["nodes"][0]["phoneNumber"]
            bought = await session.execute(BUY(phoneNumber=number))
            owned = bought["purchasePhoneNumber"]["phoneNumber"]
            settings = {"friendlyName": "Front desk"}
            configured = await session.execute(CONFIGURE(sid=owned["sid"], configuration=settings))
            assert configured["configurePhoneNumber"]["phoneNumber"] == settings
            assert owned["sid"] in await pages(session, 5)
            released = await session.execute(
                RELEASE(sid=owned["sid"], confirmPhoneNumber=owned["phoneNumber"])
            )
            assert released["releasePhoneNumber"]["releasedId"] == owned["sid"]
        await asyncio.wait_for(following, PATIENCE)
        kinds = [kind for kind, sid in changes if sid == owned["sid"]]
        assert kinds == ["PURCHASED", "CONFIGURED", "RELEASED"]

    asyncio.run(scenario())


async def pages(session: Any, count: int) -> list[str]:
    """Return the sids of all numbers, page by page."""
    sids: list[str] = []
    after, more = None, True
    while more:
        request = GraphQLRequest(NUMBERS, variable_values={"first": 2, "after": after})
        page = (await session.execute(request))["phoneNumbers"]
        sids += [node["sid"] for node in page["nodes"]]
        after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
    assert len(sids) == count
    return sids


def test_the_screen_lists_buys_and_follows(
    gateway: RunningGateway, sandbox: RunningSandbox, screen: ModuleType
) -> None:
    account = sandbox.create_account(role="frontend", catalog=True, owned=4)
    lines: list[str] = []

    def told(kind: str) -> bool:
        return any(line.startswith(kind) for line in lines)

    async def scenario() -> None:
        url = f"{gateway.url}/graphql"
        shown = screen.numbers_screen(url, account.sid, account.auth_token, "55", lines.append)
        showing = asyncio.ensure_future(shown)
        async with asyncio.timeout(PATIENCE):
            # Nothing tells that the subscription is in force, so buy until it is heard. It may tell
            # of the screen's own purchase before that is answered.
            while not (told("BOUGHT") and told("PURCHASED")):
                await asyncio.sleep(0.1)
                if told("BOUGHT"):
                    await asyncio.to_thread(buy, gateway, account)
        showing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await showing

    asyncio.run(scenario())
    kinds = [line.split()[0] for line in lines]
    assert kinds.count("OWNED") == 4
    assert kinds.count("BOUGHT") == 1
    assert set(kinds) == {"OWNED", "BOUGHT", "PURCHASED"}
