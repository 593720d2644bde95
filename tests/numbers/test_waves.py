"""Every operation takes as many waves of upstream calls as its nesting needs, and no more.

A wave is a set of calls all of which begin before any of them is answered. The upstream holds its
answers until as many calls have come as belong to a wave, and then answers them all: a call that
waits for another's answer never comes, however fast or slow the machine is.

While it is unknown whether an account has the catalog ("cold"), the read that finds it out goes
beside the first one: a wave is one call larger, and none is added.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import count
from typing import Any, NamedTuple

import pytest

from schema import build_core_schema
from tests.support.gateway_in_thread import RunningGateway, running_gateway
from tests.support.sandbox_in_thread import RunningSandbox, SandboxAccount
from tests.support.streams import CHANGES, events
from tests.support.waiting import until

SCHEMA = build_core_schema()
Waves = Sequence[int]
_sold = count(1000)


class Owner(NamedTuple):
    """An account that is asked for, with four numbers, and a subaccount."""

    account: SandboxAccount
    numbers: list[dict[str, Any]]
    sandbox: RunningSandbox

    def sid(self, place: int = 0) -> str:
        return str(self.numbers[place]["sid"])

    def for_sale(self) -> str:
        """Return a number that nobody has."""
        number = f"+1212555{next(_sold)}"
        self.sandbox.put_number(None, number)
        return number

    def elsewhere(self) -> str:
        """Return the sid of a number that a subaccount has."""
        return str(self.sandbox.put_number(self.subaccount())["sid"])

    def subaccount(self) -> str:
        return self.sandbox.create_account(owner_account_sid=self.account.sid, owned=0).sid


class Expected(NamedTuple):
    """The calls of each wave: of an account with the catalog and of one without, cold and warm."""

    catalog: tuple[Waves, Waves]
    core: tuple[Waves, Waves]


def alike(cold: Waves, warm: Waves) -> Expected:
    """Return what is the same with the catalog and without."""
    return Expected((cold, warm), (cold, warm))


def always(*waves: int) -> Expected:
    """Return what does not depend on the catalog at all."""
    return alike(waves, waves)


def search(more: str, nodes: str) -> str:
    return f"availablePhoneNumbers(country: US, first: 2, {more}) {{ nodes {{ {nodes} }} }}"


def by_number(owner: Owner) -> str:
    return f'identifier: {{ phoneNumber: "{owner.numbers[0]["phone_number"]}" }}'


def bought(owner: Owner, more: str = "") -> str:
    return f'{{ phoneNumber: "{owner.for_sale()}" {more} }}'


def renamed(owner: Owner, place: int) -> str:
    return f'{{ sid: "{owner.sid(place)}", configuration: {{ friendlyName: "Desk" }} }}'


def moved(owner: Owner, place: int, target: str) -> str:
    return f'{{ sid: "{owner.sid(place)}", toAccountSid: "{target}" }}'


def given_back(owner: Owner, place: int) -> str:
    number = owner.numbers[place]["phone_number"]
    return f'{{ sid: "{owner.sid(place)}", confirmPhoneNumber: "{number}" }}'


def mutation(name: str, *items: str) -> str:
    """Return a mutation, of several items if it is a plural one."""
    asked = f"{{ items: [{', '.join(items)}] }}" if name.endswith("s") else items[0]
    below = "userErrors { code message }"
    return (
        f"{name}(input: {asked}) {{ {f'results {{ {below} }}' if name.endswith('s') else below} }}"
    )


# No call is given up, and sent once more, while others are still to come.
PATIENT: dict[str, Any] = {
    "attempt_timeout": 100.0,
    "call_deadline": 110.0,
    "request_deadline": 120.0,
    "poll_interval": 0.0,
}
MAX = 'maxMonthlyPrice: { amount: "100", currencyCode: "USD" }'
# Each field of the roots of the schema, in ways that ask for different things.
ASKED: list[tuple[str, str, Callable[[Owner], str], Expected]] = [
    (
        "Query.phoneNumber",
        "one API",
        lambda owner: f'phoneNumber(sid: "{owner.sid()}") {{ sid lifecycle }}',
        alike([2], [1]),
    ),
    (
        "Query.phoneNumber",
        "both APIs",
        lambda owner: f'phoneNumber(sid: "{owner.sid()}") {{ lifecycle dateCreated }}',
        Expected(([2], [2]), ([2], [1])),
    ),
    (
        "Query.phoneNumberByIdentifier",
        "one API",
        lambda owner: f"phoneNumberByIdentifier({by_number(owner)}) {{ sid lifecycle }}",
        alike([2], [1]),
    ),
    (
        "Query.phoneNumberByIdentifier",
        "both APIs",
        lambda owner: f"phoneNumberByIdentifier({by_number(owner)}) {{ lifecycle dateCreated }}",
        Expected(([2], [2]), ([2], [1])),
    ),
    (
        "Query.phoneNumbers",
        "one API",
        lambda _: "phoneNumbers(first: 3) { nodes { sid lifecycle } }",
        alike([2], [1]),
    ),
    (  # Which numbers are filled in is known only from the list.
        "Query.phoneNumbers",
        "both APIs",
        lambda _: "phoneNumbers(first: 3) { nodes { lifecycle dateCreated } }",
        Expected(([2, 1], [1, 1]), ([2], [1])),
    ),
    (
        "Query.phoneNumbers",
        "a filter of one API, fields of the other",
        lambda _: "phoneNumbers(first: 3, filter: { origin: TWILIO }) { nodes { lifecycle } }",
        Expected(([2, 1], [1, 1]), ([2], [1])),
    ),
    (
        "Query.availablePhoneNumbers",
        "one API",
        lambda _: search("", "phoneNumber"),
        always(1),
    ),
    (
        "Query.availablePhoneNumbers",
        "what the catalog tells",
        lambda _: search("types: [LOCAL, TOLL_FREE]", "lifecycle capabilities { voice { e911 } }"),
        Expected(([3, 1], [2]), ([3], [2])),
    ),
    (
        "Query.availablePhoneNumbers",
        "a filter of the catalog",
        lambda _: search("filter: { capabilities: { voice: { e911: true } } }", "phoneNumber"),
        Expected(([1], [1]), ([1], [])),
    ),
    (
        "Query.availablePhoneNumbers",
        "prices",
        lambda _: search("", "monthlyPrice { amount }"),
        Expected(([3], [1]), ([3], [2])),
    ),
    ("Query.countries", "", lambda _: "countries { code }", always(1)),
    (
        "Query.country",
        "prices and requirements",
        lambda _: (
            'country(code: "GB") { prices { type } requirements(type: LOCAL, endUser: BUSINESS) { name } }'
        ),
        always(1, 2),
    ),
    (
        "Query.account",
        "its lists",
        lambda _: (
            "account { subaccounts(first: 2) { nodes { sid } } phoneNumbers(first: 2) { nodes { sid lifecycle } } }"
        ),
        alike([1, 3], [1, 2]),
    ),
    (
        "Query.node",
        "a number",
        lambda owner: f'node(id: "{owner.sid()}") {{ id }}',
        alike([2], [1]),
    ),
    (
        "Query.node",
        "an account",
        lambda owner: f'node(id: "{owner.account.sid}") {{ id }}',
        always(1),
    ),
    ("Query.node", "a country", lambda _: 'node(id: "US") { id }', always(1)),
    (  # Where the caller looks first, then which accounts there are, then each of them.
        "Query.node",
        "a number of a subaccount",
        lambda owner: f'node(id: "{owner.elsewhere()}") {{ id }}',
        alike([2, 1, 1], [1, 1, 2]),
    ),
    (
        "Query.nodes",
        "numbers",
        lambda owner: f'nodes(ids: ["{owner.sid(0)}", "{owner.sid(1)}"]) {{ id }}',
        Expected(([3], [1]), ([3], [2])),
    ),
    ("Query.rateLimit", "", lambda _: "rateLimit { requests { limit } }", always()),
    (
        "Mutation.purchasePhoneNumber",
        "",
        lambda owner: mutation("purchasePhoneNumber", bought(owner)),
        alike([2, 1], [1, 1]),
    ),
    (
        "Mutation.purchasePhoneNumber",
        "with a limit",
        lambda owner: mutation("purchasePhoneNumber", bought(owner, MAX)),
        Expected(([4, 1, 1], [2, 1]), ([4, 1], [3, 1])),
    ),
    (
        "Mutation.purchasePhoneNumbers",
        "",
        lambda owner: mutation("purchasePhoneNumbers", bought(owner), bought(owner)),
        Expected(([3, 2, 1], [2, 2]), ([3, 2], [2, 2])),
    ),
    (
        "Mutation.configurePhoneNumber",
        "",
        lambda owner: mutation("configurePhoneNumber", renamed(owner, 0)),
        alike([3, 1], [1, 1]),
    ),
    (
        "Mutation.configurePhoneNumbers",
        "",
        lambda owner: mutation("configurePhoneNumbers", renamed(owner, 0), renamed(owner, 1)),
        alike([5, 2], [2, 2]),
    ),
    (
        "Mutation.transferPhoneNumber",
        "",
        lambda owner: mutation("transferPhoneNumber", moved(owner, 0, owner.subaccount())),
        Expected(([2, 1], [1, 1]), ([2, 1], [1])),
    ),
    (
        "Mutation.transferPhoneNumbers",
        "",
        lambda owner: mutation(
            "transferPhoneNumbers",
            *(moved(owner, place, target) for target in [owner.subaccount()] for place in (0, 1)),
        ),
        Expected(([3, 2], [2, 2]), ([3, 2], [2])),
    ),
    (
        "Mutation.releasePhoneNumber",
        "",
        lambda owner: mutation("releasePhoneNumber", given_back(owner, 0)),
        alike([2, 1], [1, 1]),
    ),
    (
        "Mutation.releasePhoneNumbers",
        "",
        lambda owner: mutation("releasePhoneNumbers", given_back(owner, 0), given_back(owner, 1)),
        Expected(([3, 2, 1], [2, 2]), ([3, 2], [2, 2])),
    ),
    ("Subscription.phoneNumberChanged", "", lambda _: CHANGES, alike([2], [1])),
]


@pytest.fixture(scope="module")
def served(shared_sandbox: RunningSandbox) -> Iterator[RunningGateway]:
    """A gateway that keeps no answers, so that every read shows."""
    with running_gateway(shared_sandbox, cache_countries=0.0, **PATIENT) as gateway:
        yield gateway


def held(sandbox: RunningSandbox, account: SandboxAccount) -> None:
    """Answer all calls that wait, and hold those that come from now on."""
    sandbox.set_faults([{"kind": "held", "account": account.sid, "count": None}])


def asked_in_waves(owner: Owner, ask: Callable[[], Any], waves: Waves) -> Any:
    """Return the answer to `ask`, the calls of which come in these waves."""
    sandbox = owner.sandbox
    sandbox.forget_requests()
    held(sandbox, owner.account)
    made = 0
    with ThreadPoolExecutor(1) as pool:
        answer: Future[Any] = pool.submit(ask)
        try:
            for number, wave in enumerate(waves, 1):
                made += wave
                until(partial(has_come, sandbox, answer, made))
                assert calls(sandbox) == made, f"by wave {number}: {told(sandbox)}"
                held(sandbox, owner.account)
            until(lambda: answer.done() or calls(sandbox) > made)
            assert calls(sandbox) == made, f"after all waves: {told(sandbox)}"
        finally:
            sandbox.clear_faults()
        return answer.result()


def has_come(sandbox: RunningSandbox, answer: Future[Any], made: int) -> bool:
    return answer.done() or calls(sandbox) >= made


def calls(sandbox: RunningSandbox) -> int:
    return len(sandbox.requests())


def told(sandbox: RunningSandbox) -> list[str]:
    return [f"{each['method']} {each['path']} {each['query']}" for each in sandbox.requests()]


def test_every_root_field_has_its_waves_told() -> None:
    roots = (SCHEMA.query_type, SCHEMA.mutation_type, SCHEMA.subscription_type)
    fields = {f"{root.name}.{name}" for root in roots if root is not None for name in root.fields}
    assert {name for name, _, _, _ in ASKED} == fields


@pytest.mark.parametrize("catalog", [True, False], ids=["catalog", "core"])
@pytest.mark.parametrize(
    ("root", "text", "expected"),
    [
        pytest.param(root, text, waves, id=f"{root} {how}".strip())
        for root, how, text, waves in ASKED
    ],
)
def test_a_field_takes_as_many_waves_as_its_nesting_needs(
    served: RunningGateway,
    sandbox: RunningSandbox,
    root: str,
    text: Callable[[Owner], str],
    expected: Expected,
    *,
    catalog: bool,
) -> None:
    account = sandbox.create_account(catalog=catalog, owned=4)
    numbers, kind = sandbox.numbers(account.sid), root.partition(".")[0].lower()
    # The first time shows whether the account has the catalog, and what it is asked for then.
    for place, waves in enumerate(expected.catalog if catalog else expected.core):
        owner = Owner(account, numbers[2 * place :], sandbox)
        answer = asked_in_waves(owner, partial(ask, served, account, kind, text(owner)), waves)
        assert answer is None or "errors" not in answer or (not catalog and waves in ([1], [])), (
            answer
        )


def ask(gateway: RunningGateway, account: SandboxAccount, kind: str, field: str) -> Any:
    """Run an operation of one field, and return its answer; None for that of a subscription."""
    if kind == "subscription":
        with events(gateway, field, account=account) as stream:
            return stream.confirmed()
    return gateway.execute(f"{kind} {{ {field} }}", account=account)
