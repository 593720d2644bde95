"""What a field refuses before it asks the upstream: in the same words by a run and by its plan."""

import ast
import inspect
import json
import re
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from gateway.auth import caller
from gateway.mapping import validation
from gateway.numbers import cursors, lookups, search_request
from gateway.writes import write_inputs
from schema.bounds import MOST_ITEMS
from tests.support.gateway_in_thread import RunningGateway, running_gateway
from tests.support.sandbox_in_thread import RunningSandbox, SandboxAccount
from tests.support.streams import events
from tests.support.tokens import TOKENS_MODE, ask, token

PLAN = {"X-Gateway-Explain": "plan"}
AC, PN = "AC" + "0" * 32, "PN" + "0" * 32
NUMBER = '"+14155550100"'
NO_PLACE = "it works in the US and Canada only."
CODES = [str(code) for code in (*range(480, 487), *range(520, 548), *range(549, 579))]
A_PAGE_SIZE = "first: 0 is not between 1 and 1000."
A_CURSOR = "after: this is not a cursor; use `pageInfo.endCursor` or an edge's `cursor`."


def owned(filter_: str) -> str:
    """Return a list of owned numbers with this filter."""
    return f"{{ phoneNumbers(filter: {{ {filter_} }}) {{ nodes {{ sid }} }} }}"


def sought(filter_: str, country: str = "US", more: str = "") -> str:
    """Return a search with this filter."""
    arguments = f'country: "{country}", filter: {{ {filter_} }}{more}'
    return f"{{ availablePhoneNumbers({arguments}) {{ exhaustive }} }}"


def similar(arguments: str) -> str:
    """Return searches for numbers like an owned one."""
    return f"{{ phoneNumbers(first: 1) {{ nodes {{ similarAvailable({arguments}) {{ exhaustive }} }} }} }}"


def write(verb: str, given: str, *, name: str = "") -> str:
    """Return a mutation, for which nothing is sent."""
    field = f"{verb}PhoneNumber(input: {{ dryRun: true, {given} }}) {{ userErrors {{ field message }} }}"
    return f"{name}: {field}" if name else f"mutation {{ {field} }}"


def writes(verb: str, items: list[str]) -> str:
    """Return a plural mutation, for which nothing is sent."""
    each = ", ".join(f"{{ dryRun: true, {item} }}" for item in items)
    return (
        f"mutation {{ {verb}PhoneNumbers(input: {{ items: [{each}] }})"
        " { results { userErrors { field message } } } }"
    )


def configured(settings: str) -> str:
    """Return a change of these settings."""
    return write("configure", f'sid: "{PN}", configuration: {{ {settings} }}')


def bought(number: str = NUMBER) -> str:
    """Return an item that buys a number."""
    return f"phoneNumber: {number}"


def released(sid: str, number: str = NUMBER) -> str:
    """Return what releases a number."""
    return f'sid: "{sid}", confirmPhoneNumber: {number}'


def no_sid(argument: str, text: str = "x", prefix: str = "PN") -> str:
    """Return the words against what is no sid."""
    return f"{argument}: {why_no_sid(text, prefix)}"


def why_no_sid(text: str, prefix: str = "PN") -> str:
    """Return the same where the argument is told beside it."""
    return f'"{text}" is not a sid: {prefix} and 32 hexadecimal digits.'


NO_ID = "is not an id: PN or AC and 32 hexadecimal digits, or a country."
# An operation, and what is said against it.
ERRORS: list[tuple[str, str]] = [
    ('{ phoneNumber(sid: "x") { sid } }', no_sid("sid")),
    (
        '{ phoneNumberByIdentifier(identifier: { sid: "x" }) { sid } }',
        no_sid("identifier.sid"),
    ),
    ('{ phoneNumber(sid: "x", accountSid: "y") { sid } }', no_sid("accountSid", "y", "AC")),
    ("{ phoneNumbers(first: 0) { nodes { sid } } }", A_PAGE_SIZE),
    ('{ phoneNumbers(accountSid: "x") { nodes { sid } } }', no_sid("accountSid", "x", "AC")),
    ('{ phoneNumbers(after: "x") { nodes { sid } } }', A_CURSOR),
    ("{ account { phoneNumbers(first: 0) { nodes { sid } } } }", A_PAGE_SIZE),
    (
        owned('contains: "%"'),
        "filter.contains: write 1 to 16 digits or letters; `*` stands for any digit, `+` may lead.",
    ),
    (
        owned(f'contains: "5", phoneNumber: {NUMBER}'),
        "filter.contains: `phoneNumber` is given too; give one of them.",
    ),
    (owned('friendlyName: " "'), "filter.friendlyName: it is empty."),
    (
        owned(f'friendlyName: "{"x" * 65}"'),
        "filter.friendlyName: 65 characters are too many: at most 64.",
    ),
    (
        owned("latitude: 91"),
        "filter.latitude: 91.0 is not between -90 and 90 degrees.",
    ),
    (
        owned('region: ""'),
        "filter.region: write 1 to 64 printable characters, no spaces around them.",
    ),
    (owned('lata: "x"'), "filter.lata: write a LATA's digits."),
    ('{ account(sid: "x") { sid } }', no_sid("sid", "x", "AC")),
    ('{ rateLimit(accountSid: "x") { requests { limit } } }', no_sid("accountSid", "x", "AC")),
    ('{ node(id: "x") { id } }', f'id: "x" {NO_ID}'),
    ('{ nodes(ids: ["x"]) { id } }', f'ids: "x" {NO_ID}'),
    ('{ node(id: "PN12") { id } }', f'id: "PN12" {NO_ID}'),
    (f'{{ node(id: "SK{"0" * 32}") {{ id }} }}', f'id: "SK{"0" * 32}" {NO_ID}'),
    # As before 0.2: kind, account and sid.
    ('{ node(id: "UGhvbmVOdW1iZXI6eDp4") { id } }', f'id: "UGhvbmVOdW1iZXI6eDp4" {NO_ID}'),
    (
        f"{{ nodes(ids: [{', '.join(['1'] * 1001)}]) {{ id }} }}",
        "ids: 1001 are too many: at most 1000.",
    ),
    ('{ availablePhoneNumbers(country: "US", first: 0) { exhaustive } }', A_PAGE_SIZE),
    ('{ availablePhoneNumbers(country: "US", after: "x") { exhaustive } }', A_CURSOR),
    (
        '{ availablePhoneNumbers(country: "US", types: []) { exhaustive } }',
        "types: the list is empty; leave it out for [LOCAL].",
    ),
    (
        '{ availablePhoneNumbers(country: "US", accountSid: "x") { exhaustive } }',
        no_sid("accountSid", "x", "AC"),
    ),
    ('{ country(code: "US") { availablePhoneNumbers(first: 0) { exhaustive } } }', A_PAGE_SIZE),
    (sought('lata: "722"', "GB"), "filter.lata: it works in the US and Canada only."),
    (
        sought('areaCodes: "510"', "GB"),
        (
            "filter.areaCodes: it works in the US and Canada and where else numbers begin with +1,"
            " anywhere for `types: [TOLL_FREE]`."
        ),
    ),
    (sought("areaCodes: []"), "filter.areaCodes: the list is empty; leave it out to search all."),
    (
        sought('areaCodes: "51"'),
        'filter.areaCodes: "51" is not an area code: write three digits, as in "415".',
    ),
    (
        sought('areaCodes: ["510", "416"]'),
        'filter.areaCodes: 416 is an area code of CA: search with country: "CA".',
    ),
    (
        sought(f"areaCodes: {json.dumps(CODES)}", more=", first: 1"),
        "filter.areaCodes: 65 searches would be needed; at most 64 are made.",
    ),
    (
        sought('contains: "5"'),
        (
            "filter.contains: write 2 to 16 characters: digits, letters, `*`, `%`; `+` only leads,"
            " `$` only ends."
        ),
    ),
    (sought('contains: "***"'), "filter.contains: it needs at least two digits or letters."),
    (
        sought("near: { point: {latitude: 1, longitude: 181} }"),
        "filter.near.point.longitude: 181.0 is not between -180 and 180 degrees.",
    ),
    (sought("withinMiles: 1"), "filter.withinMiles: it needs `near`."),
    (
        sought(f"near: {{ phoneNumber: {NUMBER} }}, withinMiles: 0"),
        "filter.withinMiles: 0 miles are not between 1 and 500.",
    ),
    (
        '{ availablePhoneNumbers(country: "US", orderBy: DISTANCE) { exhaustive } }',
        "orderBy: DISTANCE needs `filter.near.point`.",
    ),
    (
        sought('areaCodes: "1"', "GB", more=", types: [TOLL_FREE]"),
        'filter.areaCodes: "1" is not an area code: write two to four digits, as in "800".',
    ),
    (
        sought('region: "Ohio"'),
        'filter.region: write two letters, for example "CA", or a phone number.',
    ),
    (sought(f"near: {{ phoneNumber: {NUMBER} }}", "GB"), f"filter.near.phoneNumber: {NO_PLACE}"),
    (
        sought("savedSearches: []"),
        "filter.savedSearches: the list is empty; leave it out for none.",
    ),
    (sought("minSetupPrice: -1"), "filter.minSetupPrice: a price is not below 0."),
    (
        sought("minSetupPrice: 1000001"),
        "filter.minSetupPrice: a price is not above 1000000.",
    ),
    (
        sought("minSetupPrice: 2, maxSetupPrice: 1"),
        "filter.maxSetupPrice: it is below `minSetupPrice`.",
    ),
    (
        sought(f"near: {{ phoneNumber: {NUMBER} }}, minSetupPrice: 1, withinMiles: 5"),
        (
            "filter: minSetupPrice cannot be combined with near.phoneNumber: the upstream has no"
            " search that knows both; leave out one of them."
        ),
    ),
    (similar("within: LATA, first: 0"), A_PAGE_SIZE),
    (similar("within: LATA, withinMiles: 5"), "withinMiles: it goes with `within: NEARBY` only."),
    (
        similar("within: NEARBY, withinMiles: 501"),
        "withinMiles: 501 miles are not between 1 and 500.",
    ),
    (write("configure", 'sid: "x", configuration: {}'), no_sid("input.sid")),
    (write("release", released("x")), no_sid("input.sid")),
    (write("transfer", f'sid: "x", toAccountSid: "{AC}"'), no_sid("input.sid")),
    (
        write("transfer", f'sid: "{PN}", toAccountSid: "x"'),
        no_sid("input.toAccountSid", "x", "AC"),
    ),
    (
        write("purchase", f'{bought()}, idempotencyKey: ""'),
        "input.idempotencyKey: write 1 to 255 characters.",
    ),
    (write("purchase", f'{bought()}, accountSid: "x"'), no_sid("input.accountSid", "x", "AC")),
    (writes("purchase", []), "input.items: 0 items are not between 1 and 100."),
    (
        writes("release", [released(PN)] * 101),
        "input.items: 101 items are not between 1 and 100.",
    ),
    # Nor is it said, instead, that so many items would cost too much.
    (writes("purchase", [bought()] * 301), "input.items: 301 items are not between 1 and 100."),
]
# A mutation, and its user errors: the input field to blame, and the words.
USER_ERRORS: list[tuple[str, list[tuple[str, str]]]] = [
    (
        write(
            "purchase",
            'phoneNumber: "+14155550100", maxMonthlyPrice: { amount: "-1", currencyCode: "USD" }',
        ),
        [("maxMonthlyPrice.amount", "A price is not below 0.")],
    ),
    (configured(""), [("configuration", "Nothing to change: give at least one setting.")]),
    (
        configured(f'friendlyName: "{"x" * 65}"'),
        [("configuration.friendlyName", "65 characters are too many: at most 64.")],
    ),
    (
        configured('friendlyName: "a\\u0007"'),
        [("configuration.friendlyName", "Control characters cannot be part of it.")],
    ),
    (
        configured("voice: { method: null }"),
        [
            (
                "configuration.voice.method",
                (
                    "Null does not clear this: leave it out to keep the method, or write POST, which"
                    " the upstream falls back to."
                ),
            )
        ],
    ),
    (
        write(
            "configure",
            f'sid: "{PN}", regulatory: {{ clear: [BUNDLE], bundleSid: "BU{"0" * 32}" }}',
        ),
        [("regulatory.clear", "`bundleSid` is given too; set it or clear it.")],
    ),
    (
        configured('voice: { applicationSid: "x" }'),
        [
            (
                "configuration.voice.applicationSid",
                '"x" is not a sid: AP and 32 hexadecimal digits.',
            )
        ],
    ),
    (
        configured(f'voice: {{ trunkSid: "TK{"0" * 32}", applicationSid: "AP{"0" * 32}" }}'),
        [
            (
                "configuration.voice.trunkSid",
                "`applicationSid` is given too, and a number has one or the other: give one.",
            )
        ],
    ),
    (
        write("purchase", f"{bought()}, regulatory: {{ clear: [BUNDLE] }}"),
        [("regulatory.clear", "A number that is being bought has nothing to clear.")],
    ),
    (
        write("transfer", f'sid: "{PN}", toAccountSid: "{AC}", regulatory: {{ clear: [BUNDLE] }}'),
        [
            (
                "regulatory.clear",
                "A number that moves has nothing to clear: it keeps no document.",
            )
        ],
    ),
    (
        writes("release", [released("x"), released("y"), f'{released(PN)}, idempotencyKey: ""']),
        [
            ("items.0.sid", why_no_sid("x")),
            ("items.1.sid", why_no_sid("y")),
            (
                "items.2.idempotencyKey",
                "write 1 to 255 characters.",
            ),
        ],
    ),
]


def errors(response: dict[str, Any]) -> list[str]:
    """Return what the errors of a response say; a list is walked once by a plan."""
    return list(dict.fromkeys(each["message"] for each in response.get("errors", ())))


def user_errors(response: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the user errors of a run, or those that a plan foretells."""
    if "extensions" in response:
        told = response["extensions"]["plan"].get("refusals", ())
        return [(".".join(each["input"]), each["message"]) for each in told]
    payloads = [each for data in response["data"].values() for each in data.get("results", [data])]
    return [
        (".".join(error["field"]), error["message"])
        for payload in payloads
        for error in payload.get("userErrors", ())
    ]


@pytest.fixture(scope="module")
def roomy(shared_sandbox: RunningSandbox) -> Iterator[RunningGateway]:
    """A gateway that takes documents with hundreds of items."""
    with running_gateway(shared_sandbox, token_limit=20_000) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def accounts(shared_sandbox: RunningSandbox) -> list[SandboxAccount]:
    """One account that has the catalog, and one that has not; each owns a number."""
    return [shared_sandbox.create_account(catalog=each, owned=1) for each in (True, False)]


@pytest.mark.parametrize(("query", "words"), ERRORS)
def test_a_bad_argument_is_refused_with_the_same_words_by_a_run_and_its_plan(
    roomy: RunningGateway, accounts: list[SandboxAccount], query: str, words: str
) -> None:
    for account in accounts:
        for headers in ({}, PLAN):
            response = roomy.execute(query, account=account, headers=headers)
            assert errors(response) == [words], (account.catalog, headers)


@pytest.mark.parametrize(("query", "expected"), USER_ERRORS)
def test_a_bad_input_is_the_same_user_error_in_a_dry_run_and_in_its_plan(
    roomy: RunningGateway, query: str, expected: list[tuple[str, str]]
) -> None:
    for headers in ({}, PLAN):
        response = roomy.execute(query, headers=headers)
        assert "errors" not in response
        assert user_errors(response) == expected, headers


def test_a_cursor_is_refused_where_a_plan_cannot_know_the_account(gateway: RunningGateway) -> None:
    query = '{ account { subaccounts(first: 9) { nodes { phoneNumbers(after: "x") { nodes { sid } } } } } }'
    for headers in ({}, PLAN):
        assert errors(gateway.execute(query, headers=headers)) == [A_CURSOR]


def test_who_may_not_follow_numbers_is_told_as_its_plan_foretells(gateway: RunningGateway) -> None:
    for arguments, words in (
        ('sids: ["x"]', no_sid("sids")),
        ('accountSid: "x"', no_sid("accountSid", "x", "AC")),
    ):
        query = f"subscription {{ phoneNumberChanged({arguments}) {{ id }} }}"
        assert errors(gateway.execute(query, headers=PLAN)) == [words]
        with events(gateway, query, account=gateway.account) as stream:
            assert errors(stream.next().data) == [words]


def test_a_token_for_other_accounts_is_refused_with_the_same_words(
    shared_sandbox: RunningSandbox,
) -> None:
    parent = shared_sandbox.accounts()["parent"]
    own: dict[str, Any] = {"account_sid": parent.sid, "auth_token": parent.auth_token}
    with running_gateway(shared_sandbox, **TOKENS_MODE, **own) as gateway:
        bearer = token(parent.sid, scope="numbers:read numbers:release")
        other = f"The account {AC} is not among those that you may use."
        for query, words, argument in (
            (
                f'{{ phoneNumbers(accountSid: "{AC}", first: 0) {{ exhaustive }} }}',
                other,
                "accountSid",
            ),
            (
                f'{{ rateLimit(accountSid: "{AC}") {{ requests {{ limit }} }} }}',
                other,
                "accountSid",
            ),
            (write("release", f'{released(PN)}, accountSid: "{AC}"'), other, "input.accountSid"),
            (
                f'{{ node(id: "{parent.sid}") {{ id }} }}',
                "Your token lacks the scope accounts:read.",
                None,
            ),
        ):
            run = ask(gateway, bearer, query).json()
            plan = ask(gateway, bearer, query, x_gateway_explain="plan").json()
            assert errors(run) == errors(plan) == [words]
            for answer in (run, plan):
                assert answer["errors"][0]["extensions"].get("argument") == argument


def test_the_first_mutation_that_fails_is_the_last_that_a_run_or_a_plan_looks_at(
    gateway: RunningGateway,
) -> None:
    query = f"mutation {{ {write('release', released('x'), name='a')} "
    query += f"{write('release', released('y'), name='b')} }}"
    for headers in ({}, PLAN):
        assert errors(gateway.execute(query, headers=headers)) == [no_sid("input.sid")]


def test_a_plan_hides_no_write_for_an_error_in_a_later_mutation(gateway: RunningGateway) -> None:
    """The first one is done, so the error of the second becomes a user error: nothing is lost."""
    number = gateway.sandbox.put_number()["phone_number"]
    first = f'a: purchasePhoneNumber(input: {{ phoneNumber: "{number}" }}) {{ reconciled }}'
    second = write("release", released("y"), name="b")
    third = "releasePhoneNumbers(input: $i) { results { userErrors { field message } } }"
    query = f"mutation($i: ReleasePhoneNumbersInput!) {{ {first} {second} {third} }}"
    many = {"i": {"items": [{"sid": PN, "confirmPhoneNumber": "+14155550100"}] * 101}}
    planned = gateway.execute(query, many, headers=PLAN)
    assert "errors" not in planned
    assert "a" in {step["field"] for step in planned["extensions"]["plan"]["steps"]}
    run = gateway.execute(query, many)
    assert user_errors(planned) == user_errors(run)
    assert user_errors(run)[0] == ("sid", why_no_sid("y"))
    assert len(user_errors(run)) == 1 + 101


def test_a_plan_hides_no_write_for_an_error_below_it(gateway: RunningGateway) -> None:
    number = gateway.sandbox.put_number()["phone_number"]
    below = "phoneNumber { similarAvailable(within: LATA, first: 0) { exhaustive } }"
    query = (
        f'mutation {{ purchasePhoneNumber(input: {{ phoneNumber: "{number}" }}) {{ {below} }} }}'
    )
    planned = gateway.execute(query, headers=PLAN)
    assert errors(planned) == [A_PAGE_SIZE]
    steps = planned["extensions"]["plan"]["steps"]
    assert [step["max"] for step in steps if step["strategy"] == "write"] == [1]
    run = gateway.execute(query)
    assert errors(run) == [A_PAGE_SIZE]
    assert run["data"]["purchasePhoneNumber"]["phoneNumber"] == {"similarAvailable": None}


@pytest.mark.parametrize(
    "query",
    [
        "{ nodes(ids: []) { ... on Account { phoneNumbers(first: 0) { nodes { sid } } } } }",
        write("configure", f'sid: "{PN}", configuration: {{ }}').replace(
            "userErrors {",
            "phoneNumber { similarAvailable(within: LATA, first: 0) { exhaustive } } userErrors {",
        ),
    ],
)
def test_nothing_is_refused_below_what_is_certainly_not_there(
    gateway: RunningGateway, query: str
) -> None:
    for headers in ({}, PLAN):
        assert errors(gateway.execute(query, headers=headers)) == []


def test_a_mutation_that_is_selected_twice_under_one_name_is_planned_once(
    gateway: RunningGateway,
) -> None:
    number = gateway.sandbox.put_number()["phone_number"]
    field = f'purchasePhoneNumber(input: {{ phoneNumber: "{number}" }})'
    query = f"mutation {{ {field} {{ reconciled }} ...more }}"
    query += f" fragment more on Mutation {{ {field} {{ replayed }} }}"
    plan = gateway.execute(query, headers=PLAN)["extensions"]["plan"]
    assert [step["max"] for step in plan["steps"] if step["strategy"] == "write"] == [1]


def test_a_plan_refuses_what_only_the_catalog_knows_of_an_account_that_it_cannot_be_asked_about(
    gateway: RunningGateway,
) -> None:
    """That the account has the catalog is known from its own credentials, which these are not."""
    parent = gateway.sandbox.create_account(catalog=True)
    sub = gateway.sandbox.create_account(catalog=True, owner_account_sid=parent.sid)
    gateway.query("{ phoneNumbers(first: 1) { nodes { sid } } }", account=sub)
    query = sought("minSetupPrice: 1", more=f', accountSid: "{sub.sid}"')
    run, plan = (gateway.execute(query, account=parent, headers=headers) for headers in ({}, PLAN))
    assert errors(run) == errors(plan)
    assert "with an account's own credentials only" in errors(run)[0]


def test_plural_mutations_count_no_more_items_than_they_take(gateway: RunningGateway) -> None:
    """Or a list that is too long would be refused with other words, for its cost."""
    query = "mutation($i: PurchasePhoneNumbersInput!) { purchasePhoneNumbers(input: $i)"
    query += " { results { userErrors { field message } } } }"
    items = [{"phoneNumber": "+14155550100", "dryRun": True}] * (3 * MOST_ITEMS + 1)
    for headers in ({}, PLAN):
        response = gateway.execute(query, {"i": {"items": items}}, headers=headers)
        assert errors(response) == ["input.items: 301 items are not between 1 and 100."]


# That the tables are whole ------------------------------------------------------------------------

REFUSING = (caller, cursors, lookups, search_request, validation, write_inputs)
# What the tables above do not say: it hangs on who asks and on what else is known.
ELSEWHERE = {
    "The account .* is not among those that you may use.",
    "Your token lacks the scope .*.",
    "The token has expired.",
    "this cursor belongs to another list; cursors hold for the same account and filters.",
    "this account's API cannot search by .*: only the preview catalog of numbers can, and .*.",
}


def sentences(module: ModuleType) -> Iterator[str]:
    """Yield every sentence that a module can say, as a pattern."""
    tree = ast.parse(inspect.getsource(module))
    parts = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
        for part in node.values
    }
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if id(node) in docs | parts:
            continue
        pattern = ""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            pattern = re.escape(node.value)
        elif isinstance(node, ast.JoinedStr):
            pattern = "".join(
                re.escape(str(part.value)) if isinstance(part, ast.Constant) else ".*"
                for part in node.values
            )
        if pattern.endswith(r"\.") and r"\ " in pattern:
            yield pattern


def test_every_refusal_that_is_written_down_stands_in_a_table_here() -> None:
    said = [words for _, words in ERRORS]
    said += [words for _, expected in USER_ERRORS for _, words in expected]
    said += [each.replace(".*", "x") for each in ELSEWHERE]
    found = {pattern for module in REFUSING for pattern in sentences(module)}
    assert len(found) > 30
    assert [each for each in found if not any(re.search(f"{each}$", words) for words in said)] == []
