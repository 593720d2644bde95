"""Plans against what runs really cost: never less than the least, never more than the most."""

import random
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from uuid import uuid4

import pytest

from tests.support.gateway_in_thread import RunningGateway, running_gateway
from tests.support.sandbox_in_thread import RunningSandbox, SandboxAccount
from tests.support.waiting import until

PLAN = {"X-Gateway-Explain": "plan"}
LOOSE = {
    "alias_limit": 400,
    "root_field_limit": 400,
    "token_limit": 9000,
    "cost_limit": 10_000_000,
}
# However busy the machine is, no read is sent again, nor looked for what became of a write, for
# being late: no plan counts that.
PATIENT = {"attempt_timeout": 60.0, "call_deadline": 60.0, "request_deadline": 60.0}
# Faults and switches are put back after each test.
pytestmark = pytest.mark.usefixtures("sandbox")


class World(NamedTuple):
    """A gateway and accounts to plan for; each `cold` account has been asked for nothing yet."""

    gateway: RunningGateway
    parent: SandboxAccount
    child: SandboxAccount
    owned: list[dict[str, Any]]
    childs: list[dict[str, Any]]

    def cold(self, *, catalog: bool) -> tuple[SandboxAccount, list[dict[str, Any]]]:
        """Return a new account and its numbers."""
        sandbox = self.gateway.sandbox
        account = sandbox.create_account(catalog=catalog, owned=30)
        return account, sandbox.numbers(account.sid)

    def for_sale(self) -> str:
        """Return a number that can be bought."""
        return str(self.gateway.sandbox.put_number()["phone_number"])

    def with_emergency_address(
        self, account: SandboxAccount, number: dict[str, Any]
    ) -> dict[str, Any]:
        """Return the number after an emergency address was registered for it."""
        voice = {"emergency_address_sid": "AD" + "1" * 32}
        resource = {"configuration": {"voice": voice}}
        return self.gateway.sandbox.put_number(account.sid, number["phone_number"], resource)

    def _let_late_calls_arrive(self) -> None:
        """Wait for calls that the run before sent and did not wait for: they are not the next's."""
        parts = self.gateway.parts
        assert parts is not None
        until(lambda: not any(each.running for each in list(parts.client.limiters())))
        # What was sent by now is read no later than the first of these, and noted before the second.
        for _ in range(2):
            self.gateway.sandbox.requests()

    def check(self, query: str, account: SandboxAccount | None = None) -> dict[str, int]:
        """See that a plan bounds what its run costs; return the bounds and what it was."""
        asking, sandbox = account or self.parent, self.gateway.sandbox
        self._let_late_calls_arrive()
        sandbox.forget_requests()
        plan = self.gateway.execute(query, headers=PLAN, account=asking)
        assert "errors" not in plan, plan["errors"]
        assert sandbox.requests() == []
        calls: dict[str, int] = plan["extensions"]["plan"]["calls"]
        self.gateway.execute(query, account=asking)
        real = len(sandbox.requests())
        assert calls["min"] <= real <= calls["max"], plan["extensions"]["plan"]
        return {**calls, "real": real}


@pytest.fixture(scope="module")
def world(shared_sandbox: RunningSandbox) -> Iterator[World]:
    """A gateway that is asked as a parent that is known to have the catalog."""
    parent = shared_sandbox.create_account(catalog=True, owned=40)
    child = shared_sandbox.create_account(catalog=True, owner_account_sid=parent.sid, owned=3)
    with running_gateway(shared_sandbox, account=parent, **LOOSE, **PATIENT) as gateway:
        gateway.query("{ phoneNumbers(first: 1) { nodes { sid } } }")
        yield World(
            gateway,
            parent,
            child,
            shared_sandbox.numbers(parent.sid),
            shared_sandbox.numbers(child.sid),
        )


def aliased(*fields: str) -> str:
    """Return an operation with fields side by side."""
    return "{ " + " ".join(f"f{place}: {each}" for place, each in enumerate(fields)) + " }"


# Reads, each of one root field: they are combined, too.
FIELDS: dict[str, Callable[[World], str]] = {
    "list": lambda _: "phoneNumbers(first: 5) { nodes { sid } }",
    "list, cursor null": lambda _: "phoneNumbers(first: 5, after: null) { nodes { sid } }",
    "list, filter empty": lambda _: "phoneNumbers(first: 5, filter: {}) { nodes { sid } }",
    "list, filter null": lambda _: "phoneNumbers(first: 5, filter: {type: null}) { nodes { sid } }",
    "list, account said": lambda world: (
        f'phoneNumbers(first: 5, accountSid: "{world.parent.sid}") {{ nodes {{ sid }} }}'
    ),
    "list of a subaccount": lambda world: (
        f'phoneNumbers(first: 2, accountSid: "{world.child.sid}") {{ nodes {{ account {{ sid }} }} }}'
    ),
    "filtered": lambda _: "phoneNumbers(filter: {type: LOCAL}) { nodes { sid } }",
    "only core filters": lambda _: 'phoneNumbers(filter: {friendlyName: "x"}) { nodes { sid } }',
    "one by sid": lambda world: (
        f'phoneNumber(sid: "{world.owned[0]["sid"]}") {{ account {{ sid }} }}'
    ),
    "one by number": lambda world: (
        f'phoneNumberByIdentifier(identifier: {{ phoneNumber: "{world.owned[0]["phone_number"]}" }}) {{ sid }}'
    ),
    "one by sid, not owned": lambda _: f'phoneNumber(sid: "PN{"0" * 32}") {{ sid }}',
    "one of a subaccount": lambda world: (
        f'phoneNumber(sid: "{world.childs[0]["sid"]}", accountSid: "{world.child.sid}") {{ sid }}'
    ),
    "countries": lambda _: "countries { code }",
    "country": lambda _: 'country(code: "US") { name }',
    "account": lambda _: (
        "account { sid subaccounts(first: 3) { nodes { sid phoneNumbers(first: 1) { nodes { sid } } } } }"
    ),
    "account's list": lambda _: "account { phoneNumbers(first: 5) { nodes { sid } } }",
    "search": lambda _: 'availablePhoneNumbers(country: "US", first: 3) { nodes { phoneNumber } }',
    "search, types said": lambda _: (
        'availablePhoneNumbers(country: "US", first: 3, types: [LOCAL], filter: {}) { exhaustive }'
    ),
    "search, doubles": lambda _: (
        'availablePhoneNumbers(country: "US", first: 3, types: [LOCAL, LOCAL, TOLL_FREE],'
        ' filter: {areaCodes: ["510", "510", "415"]}) { exhaustive }'
    ),
    "search of an area": lambda _: (
        'availablePhoneNumbers(country: "US", first: 3, filter: {areaCodes: ["510"]}) { exhaustive }'
    ),
    "search in the catalog": lambda _: (
        'availablePhoneNumbers(country: "US", first: 60, filter: {capabilities: {voice: {e911: true}}})'
        " { exhaustive }"
    ),
    "search below a country": lambda _: (
        'country(code: "US") { availablePhoneNumbers(first: 3) { exhaustive } }'
    ),
    "search of countries": lambda _: "countries { availablePhoneNumbers(first: 1) { exhaustive } }",
    "similar": lambda _: (
        "phoneNumbers(first: 4) { nodes { similarAvailable(within: RATE_CENTER, first: 2) { exhaustive } } }"
    ),
    "twice below": lambda _: (
        "phoneNumbers(first: 4) { nodes { account { sid } } edges { node { account { sid } } } }"
    ),
}


@pytest.mark.parametrize("name", FIELDS)
def test_a_read_costs_what_was_planned(world: World, name: str) -> None:
    world.check(aliased(FIELDS[name](world)))


@pytest.mark.parametrize("seed", range(30))
def test_reads_side_by_side_cost_what_was_planned(world: World, seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311 - repeatable, not secret
    chosen = dice.choices(list(FIELDS), k=dice.randint(2, 5))
    world.check(aliased(*(FIELDS[name](world) for name in chosen)))


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("catalog", [True, False], ids=["CATALOG", "CORE"])
def test_the_first_reads_of_an_account_cost_what_was_planned(
    world: World, catalog: bool, seed: int
) -> None:
    account, owned = world.cold(catalog=catalog)
    its_own = world._replace(parent=account, owned=owned)
    dice = random.Random(seed)  # noqa: S311 - repeatable, not secret
    usable = [name for name in FIELDS if "subaccount" not in name and "catalog" not in name]
    chosen = dice.choices(usable, k=dice.randint(1, 3))
    world.check(aliased(*(FIELDS[name](its_own) for name in chosen)), account)


@pytest.mark.parametrize("catalog", [True, False], ids=["CATALOG", "CORE"])
@pytest.mark.parametrize("keys", [1, 3, 12, 25])
@pytest.mark.parametrize("by", ["sid", "number", "both"])
def test_first_look_ups_cost_what_was_planned(
    world: World, by: str, keys: int, catalog: bool
) -> None:
    account, owned = world.cold(catalog=catalog)
    by_sid = [f'phoneNumber(sid: "{number["sid"]}") {{ sid }}' for number in owned[:keys]]
    by_number = [
        f'phoneNumberByIdentifier(identifier: {{ phoneNumber: "{number["phone_number"]}" }}) {{ sid }}'
        for number in owned[:keys]
    ]
    fields = {"sid": by_sid, "number": by_number, "both": [*by_sid, *by_number]}[by]
    world.check(aliased(*fields), account)
    world.check(aliased(*fields), account)


def test_equal_spellings_are_one_call_in_the_plan(world: World) -> None:
    lists = ("list", "list, cursor null", "list, filter empty", "list, account said")
    calls = world.check(aliased(*(FIELDS[name](world) for name in lists)))
    assert (calls["min"], calls["max"]) == (1, 1)
    searches = ("search", "search, types said", "search below a country")
    calls = world.check(aliased(*(FIELDS[name](world) for name in searches)))
    # The country is kept, once it was asked for.
    assert calls["max"] == 2


@pytest.mark.parametrize("catalog", [True, False])
def test_pages_behind_a_cursor_are_counted(world: World, catalog: bool) -> None:
    account, _ = world.cold(catalog=catalog)
    query = "{ phoneNumbers(first: 5) { pageInfo { endCursor } } }"
    page = world.gateway.query(query, account=account)["phoneNumbers"]
    query = f'{{ phoneNumbers(first: 20, after: "{page["pageInfo"]["endCursor"]}") {{ nodes {{ sid }} }} }}'
    calls = world.check(query, account)
    # Core's pages go on as small as before the cursor; the catalog's are counted anew.
    assert (calls["real"] > 1) is not catalog


# Writes -------------------------------------------------------------------------------------------

ASKED = "a: requirements(endUser: BUSINESS) { key } b: requirements(endUser: INDIVIDUAL) { key }"
MUTATIONS: dict[str, Callable[[World, SandboxAccount, list[dict[str, Any]]], str]] = {
    "purchase": lambda world, _, __: purchase(world.for_sale()),
    "purchase, nothing for sale": lambda _, __, ___: purchase("+12125550000"),
    "purchase of an owned number": lambda _, __, owned: purchase(owned[0]["phone_number"]),
    "purchase, dry": lambda world, _, __: purchase(world.for_sale(), "dryRun: true"),
    "purchase, dry, of what is not for sale": lambda _, __, ___: purchase(
        "+12125550000", "dryRun: true"
    ),
    "purchase, dry, with what is asked": lambda world, _, __: purchase(
        world.for_sale(), "dryRun: true", ASKED
    ),
    "purchase, only core can set it": lambda world, _, __: purchase(
        world.for_sale(), f'configuration: {{voice: {{trunkSid: "TK{"0" * 32}"}}}}'
    ),
    "configure": lambda _, __, owned: configure(owned[1]["sid"]),
    "configure, not owned": lambda _, __, ___: configure("PN" + "0" * 32),
    "configure, dry": lambda _, __, owned: configure(owned[1]["sid"], "dryRun: true"),
    "configure, nothing": lambda _, __, owned: configure(owned[1]["sid"], name=""),
    "configure, too long": lambda _, __, owned: configure(
        owned[1]["sid"], name=f'friendlyName: "{"x" * 65}"'
    ),
    "configure, bad webhook": lambda _, __, owned: configure(
        owned[1]["sid"], name='statusCallbackUrl: "http://127.0.0.1/"'
    ),
    "transfer": lambda world, account, owned: transfer(
        owned[2]["sid"], world.child.sid if account is world.parent else account.sid
    ),
    "transfer to itself": lambda _, account, owned: transfer(owned[2]["sid"], account.sid),
    "transfer to itself, not owned": lambda _, account, __: transfer("PN" + "0" * 32, account.sid),
    "transfer, not owned": lambda world, _, __: transfer("PN" + "0" * 32, world.child.sid),
    "transfer, not owned, dry": lambda world, _, __: transfer(
        "PN" + "0" * 32, world.child.sid, "dryRun: true"
    ),
    "transfer with papers": lambda world, _, owned: transfer(
        owned[2]["sid"], world.child.sid, f'regulatory: {{addressSid: "AD{"1" * 32}"}}'
    ),
    "transfer with papers, dry": lambda world, _, owned: transfer(
        owned[2]["sid"], world.child.sid, f'dryRun: true, regulatory: {{bundleSid: "BU{"1" * 32}"}}'
    ),
    "release, emergency address": lambda world, account, owned: release(
        world.with_emergency_address(account, owned[3])
    ),
    "release": lambda _, __, owned: release(owned.pop()),
    "release, dry": lambda _, __, owned: release(owned[3], "dryRun: true"),
    "release, another number": lambda _, __, owned: release(
        owned[3] | {"phone_number": "+12125550000"}
    ),
    "release, not owned": lambda _, __, owned: release(owned[3] | {"sid": "PN" + "0" * 32}),
    "with what is below": lambda _, __, owned: configure(
        owned[1]["sid"],
        below="phoneNumber { account { sid } similarAvailable(within: LATA, first: 1) { exhaustive } }",
    ),
}


def purchase(number: str, more: str = "", below: str = "reconciled") -> str:
    """Return the field that buys a number."""
    return f'purchasePhoneNumber(input: {{phoneNumber: "{number}" {more}}}) {{ {below} }}'


def configure(
    sid: str, more: str = "", name: str = 'friendlyName: "x"', below: str = "reconciled"
) -> str:
    """Return the field that changes a number."""
    wanted = f'sid: "{sid}", configuration: {{{name}}} {more}'
    return f"configurePhoneNumber(input: {{{wanted}}}) {{ {below} }}"


def transfer(sid: str, account: str, more: str = "") -> str:
    """Return the field that moves a number."""
    wanted = f'sid: "{sid}", toAccountSid: "{account}" {more}'
    return f"transferPhoneNumber(input: {{{wanted}}}) {{ reconciled }}"


def release(number: dict[str, Any], more: str = "") -> str:
    """Return the field that gives a number back."""
    wanted = f'sid: "{number["sid"]}", confirmPhoneNumber: "{number["phone_number"]}" {more}'
    return f"releasePhoneNumber(input: {{{wanted}}}) {{ reconciled }}"


@pytest.mark.parametrize("warm", [True, False], ids=["known", "cold"])
@pytest.mark.parametrize("catalog", [True, False], ids=["CATALOG", "CORE"])
@pytest.mark.parametrize("name", MUTATIONS)
def test_a_write_costs_what_was_planned(world: World, name: str, catalog: bool, warm: bool) -> None:
    account, owned = world.cold(catalog=catalog)
    if warm:
        world.gateway.query("{ phoneNumbers(first: 1) { nodes { sid } } }", account=account)
    world.check(f"mutation {{ {MUTATIONS[name](world, account, owned)} }}", account)


@pytest.mark.parametrize("catalog", [True, False], ids=["CATALOG", "CORE"])
@pytest.mark.parametrize("name", ["purchase", "configure", "transfer", "release"])
def test_a_plan_tells_look_ups_from_the_write_which_is_exactly_one(
    world: World, name: str, catalog: bool
) -> None:
    account, owned = world.cold(catalog=catalog)
    field = MUTATIONS[name](world, account, owned)
    if name == "transfer":
        field = transfer(owned[2]["sid"], world.child.sid)
    keyed = field.replace("}) {", f' idempotencyKey: "{uuid4().hex}"}}) {{', 1)
    for query in (f"mutation {{ {field} }}", f"mutation {{ {keyed} }}"):
        plan = world.gateway.execute(query, headers=PLAN, account=account)["extensions"]["plan"]
        looked_up, written = plan["steps"]
        assert looked_up["strategy"] == "look-up"
        assert looked_up["call"].startswith("GET ")
        assert (written["strategy"], written["min"], written["max"]) == ("write", 1, 1)
        assert written["call"].split()[0] in {"POST", "DELETE"}
        assert written["reason"].startswith("sent once")
        assert plan["calls"]["max"] == looked_up["max"] + 1


def test_a_plan_of_several_purchases_says_how_many_are_sent(world: World) -> None:
    dry = f'{{phoneNumber: "{world.for_sale()}", dryRun: true}}'
    items = ", ".join([*(f'{{phoneNumber: "{world.for_sale()}"}}' for _ in range(3)), dry])
    query = f"mutation {{ purchasePhoneNumbers(input: {{items: [{items}]}}) {{ results {{ reconciled }} }} }}"
    # The dry run looks for the number among those for sale, of which kind it may be, and for the
    # kind of the account.
    assert world.check(query) == {"min": 4, "max": 15, "real": 9}
    plan = world.gateway.execute(query, headers=PLAN)["extensions"]["plan"]
    looked_up, bought = plan["steps"]
    assert (looked_up["min"], looked_up["max"]) == (4, 12)
    assert (bought["min"], bought["max"]) == (3, 3)
    assert bought["reason"].startswith("3 of them, each sent once")


def test_a_plan_of_a_dry_run_has_no_write(world: World) -> None:
    query = f"mutation {{ {purchase(world.for_sale(), 'dryRun: true')} }}"
    (looked_up,) = world.gateway.execute(query, headers=PLAN)["extensions"]["plan"]["steps"]
    assert looked_up["strategy"] == "look-up"
    assert "nothing is sent" in looked_up["reason"]


@pytest.mark.parametrize("seed", range(10))
def test_writes_one_after_another_cost_what_was_planned(world: World, seed: int) -> None:
    account, owned = world.cold(catalog=bool(seed % 2))
    dice = random.Random(seed)  # noqa: S311 - repeatable, not secret
    fields = [
        f"f{place}: {MUTATIONS[name](world, account, owned)}"
        for place, name in enumerate(dice.choices(list(MUTATIONS), k=3))
    ]
    world.check(f"mutation {{ {' '.join(fields)} }}", account)


def test_what_is_sent_once_for_its_key_may_cost_nothing(world: World) -> None:
    key = f'idempotencyKey: "{uuid4().hex}"'
    query = f"mutation {{ {configure(world.owned[5]['sid'], key)} }}"
    assert world.check(query)["real"] == 2
    assert world.check(query) == {"min": 0, "max": 2, "real": 0}


@pytest.mark.parametrize("equal", [False, True], ids=["two numbers", "one number twice"])
def test_several_writes_cost_what_was_planned(world: World, equal: bool) -> None:
    one = world.for_sale()
    numbers = [one, one if equal else world.for_sale()]
    items = ", ".join(f'{{phoneNumber: "{number}"}}' for number in numbers)
    calls = world.check(
        f"mutation {{ purchasePhoneNumbers(input: {{items: [{items}]}}) {{ results {{ reconciled }} }} }}"
    )
    # The second of two equal ones is refused.
    assert calls == ({"min": 1, "max": 2, "real": 2} if equal else {"min": 2, "max": 4, "real": 4})


# Searches that the upstream cuts off --------------------------------------------------------------

WIDE = {
    "one": 'availablePhoneNumbers(country: "US", first: 200) { exhaustive }',
    "types": 'availablePhoneNumbers(country: "US", first: 200, types: [LOCAL, TOLL_FREE, MOBILE]) { exhaustive }',
    "areas": (
        'availablePhoneNumbers(country: "US", first: 1000, filter: {areaCodes: ["212", "310", "415", "510", "605"]})'
        " { exhaustive }"
    ),
    "pattern": 'availablePhoneNumbers(country: "US", first: 200, filter: {contains: "55"}) { exhaustive }',
    "similar": (
        "phoneNumbers(first: 5) { nodes { similarAvailable(within: LATA, first: 100) { exhaustive } } }"
    ),
}


@pytest.mark.parametrize("cap", [10, 30, 50])
@pytest.mark.parametrize("name", WIDE)
def test_a_search_that_is_cut_off_costs_what_was_planned(
    world: World, sandbox: RunningSandbox, name: str, cap: int
) -> None:
    sandbox.set_switches(search_cap=cap)
    world.check(aliased(WIDE[name]))


def test_all_searches_of_a_request_share_one_allowance(sandbox: RunningSandbox) -> None:
    sandbox.set_switches(search_cap=30)
    query = aliased(
        'availablePhoneNumbers(country: "US", first: 500, types: [LOCAL, MOBILE]) { exhaustive }',
        'availablePhoneNumbers(country: "US", first: 500, types: [TOLL_FREE]) { exhaustive }',
    )
    with running_gateway(sandbox, partition_calls=16) as gateway:
        plan = gateway.execute(query, headers=PLAN)["extensions"]["plan"]
        gateway.query(query)
    assert plan["calls"] == {"min": 3, "max": 3 + 16}
    assert plan["steps"][-1]["field"] == "f0, f1"
    assert len(sandbox.requests()) == 3 + 16


# What cannot run ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "variables"),
    [
        ("query ($first: Int!) { phoneNumbers(first: $first) { nodes { sid } } }", {}),
        ("query ($first: Int!) { phoneNumbers(first: $first) { nodes { sid } } }", {"first": "x"}),
        ("{ phoneNumbers(first: 5000) { nodes { sid } } }", {}),
        ('{ phoneNumber(sid: "nonsense") { sid } }', {}),
        ("{ phoneNumber { sid } }", {}),
        ('{ node(id: "nonsense") { id } }', {}),
        (f'{{ account(sid: "AC{"0" * 31}") {{ sid }} }}', {}),
        ('{ availablePhoneNumbers(country: "US", types: []) { exhaustive } }', {}),
        (
            '{ availablePhoneNumbers(country: "DE", filter: {areaCodes: ["212"]}) { exhaustive } }',
            {},
        ),
        ('{ phoneNumbers(after: "nonsense") { nodes { sid } } }', {}),
        (
            'mutation { configurePhoneNumber(input: {sid: "x", configuration: {}}) { reconciled } }',
            {},
        ),
        ("mutation { purchasePhoneNumbers(input: {items: []}) { results { reconciled } } }", {}),
        ("{ nonsense }", {}),
    ],
)
def test_what_cannot_run_is_not_planned_but_refused_as_a_run_would_be(
    world: World, sandbox: RunningSandbox, query: str, variables: dict[str, Any]
) -> None:
    planned = world.gateway.execute(query, variables, headers=PLAN)
    run = world.gateway.execute(query, variables)
    assert sandbox.requests() == []
    assert "extensions" not in planned
    assert planned["errors"] == run["errors"]
    assert ("data" in planned) == ("data" in run)


def test_of_several_operations_the_one_to_plan_must_be_named(world: World) -> None:
    body = {"query": "query A { __typename } query B { __typename }", "operationName": "C"}
    answer = world.gateway.post(body, headers=PLAN).json()
    assert answer == world.gateway.post(body).json()
    assert "extensions" not in answer


# The cap ------------------------------------------------------------------------------------------


def test_a_cap_leaves_searches_incomplete_rather_than_refusing_them(
    sandbox: RunningSandbox,
) -> None:
    sandbox.set_switches(search_cap=30)
    query = aliased(WIDE["one"])
    with running_gateway(sandbox, most_calls=10) as gateway:
        plan = gateway.execute(query, headers=PLAN)["extensions"]["plan"]
        assert plan["calls"] == {"min": 1, "max": 10}
        gateway.query(query)
    assert len(sandbox.requests()) == 9
    with running_gateway(sandbox, most_calls=5) as gateway:
        sandbox.forget_requests()
        assert gateway.query(query)["f0"]["exhaustive"] is False
    assert len(sandbox.requests()) == 1


def test_what_turns_out_to_cost_more_than_planned_is_stopped_at_the_cap(
    sandbox: RunningSandbox,
) -> None:
    parent = sandbox.create_account()
    child = sandbox.create_account(owner_account_sid=parent.sid, owned=1000)
    its = f'accountSid: "{child.sid}"'
    with running_gateway(sandbox, account=parent, most_calls=1) as gateway:
        gateway.query(f"{{ phoneNumbers(first: 1000, {its}) {{ nodes {{ sid }} }} }}")
        for _ in range(3):
            sandbox.put_number(child.sid)
        # One page of the list was enough for all of them, when the account was smaller.
        sids = [number["sid"] for number in sandbox.numbers(child.sid)[-2:]]
        sandbox.forget_requests()
        query = aliased(*(f'phoneNumber(sid: "{sid}", {its}) {{ sid }}' for sid in sids))
        answer = gateway.execute(query)
    assert len(sandbox.requests()) == 1
    assert answer["data"] == {"f0": None, "f1": None}
    assert [error["path"] for error in answer["errors"]] == [["f0"], ["f1"]]
    for error in answer["errors"]:
        assert error["extensions"] == {"code": "UPSTREAM_CALLS_EXCEEDED", "allowed": 1}


def test_a_write_under_way_is_not_stopped_by_the_cap(sandbox: RunningSandbox) -> None:
    account = sandbox.create_account(catalog=True)
    number = sandbox.put_number()["phone_number"]
    with running_gateway(sandbox, account=account, most_calls=3) as gateway:
        gateway.query("{ phoneNumbers(first: 1) { nodes { sid } } }")
        sandbox.forget_requests()
        sandbox.set_faults([{"kind": "lost-answer", "method": "POST", "count": 1}])
        field = purchase(number).replace("reconciled }", "reconciled phoneNumber { sid } }")
        data = gateway.query(f"mutation {{ {field} }}")
    assert data["purchasePhoneNumber"]["reconciled"] is True
    assert data["purchasePhoneNumber"]["phoneNumber"]["sid"]
    assert len(sandbox.requests()) == 3
