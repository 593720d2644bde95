"""`check --live` tells what an account does otherwise than is assumed, and a sandbox can follow."""

import asyncio
import copy
import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import pytest

from gateway.app import APIS
from gateway.cli import first_contact
from gateway.cli.assumptions import ASSUMPTIONS
from gateway.cli.first_contact import AGAIN, Contact, Told
from gateway.cli.probes import FIRST, OWNED, PROBES, SALE, Answered, Answers
from gateway.sandbox import SandboxSettings, Switches, read_switches
from gateway.server.sandbox_server import switches_in
from gateway.upstream.call import Credential
from gateway.upstream.dialling import Dialler
from gateway.upstream.proxies import Origin
from tests.support.gateway_process import run
from tests.support.paths import DOCS, ROOT
from tests.support.sandbox_in_thread import RunningSandbox, SandboxAccount, running_sandbox
from tools.first_contact import page

BY_ID: Final = {each.id: each for each in ASSUMPTIONS}
# Each switch that reading tells, as it is not by default.
FLIPPED: Final[Mapping[str, Any]] = {
    "instance_envelope": False,
    "capability_key_case": "lower",
    "core_toll_free_token": "tollfree",
    "search_cap": 30,
    "search_default_page_size": 20,
    "search_error_status": 422,
    "bad_pattern_code": 20422,
    "in_rate_center_requires_lata": False,
    "distance_over_limit": "clamp",
    "inner_wildcards": "error",
    "search_paging": True,
    "search_coordinates": "number",
    "unknown_template": "error",
    "enabled_false": "filter",
    "foreign_toll_free_area_code": "filter",
    "foreign_geo_filter": "error",
    "space_as_plus": False,
    "page_size_over_limit": "clamp",
    "unknown_catalog_parameter": "error",
    "catalog_page_token": True,
    "missing_sid_status": 410,
    "unverified_error_status": 422,
    "inactive_account_code": 20003,
    "key_reaches_subaccounts": True,
    "main_key_fetches_subaccounts": True,
    "foreign_account_code": 20404,
}
BY_KEY: Final = {"key_reaches_subaccounts", "main_key_fetches_subaccounts"}


@pytest.fixture(scope="module")
def account(shared_sandbox: RunningSandbox) -> SandboxAccount:
    """An account that has one of everything."""
    return with_everything(shared_sandbox)


def with_everything(sandbox: RunningSandbox) -> SandboxAccount:
    account = sandbox.create_account(owned=3)
    sandbox.put_number(account.sid, resource={"type": "tollfree"})
    sandbox.create_account(owner_account_sid=account.sid, owned=1)
    sandbox.create_account(owner_account_sid=account.sid, status="suspended")
    return account


def credential(account: SandboxAccount, kind: str = "token") -> Credential:
    if kind == "token":
        return Credential(account.sid, account.auth_token, account.sid, account.sid)
    key = account.main_api_key if kind == "main" else account.api_key
    return Credential(key["sid"], key["secret"], account.sid, account.sid)


def asked(sandbox: RunningSandbox, who: Credential, patience: float = 20.0) -> Answers:
    origins = dict.fromkeys(APIS.values(), Origin.of(sandbox.url))
    contact = Contact(origins, who, patience, Dialler(10), body_limit=2**25)
    return asyncio.run(first_contact.ask_all(contact, lambda *_: None))


def told(sandbox: RunningSandbox, who: Credential, expected: Any = None) -> list[Told]:
    return first_contact.judge(asked(sandbox, who), expected or {})


def of(found: list[Told], verdict: str) -> set[str]:
    return {each.assumption.id for each in found if each.verdict == verdict}


def variables(sandbox: RunningSandbox, account: SandboxAccount, **more: str) -> dict[str, str]:
    return {
        "TWILIO_ACCOUNT_SID": account.sid,
        "TWILIO_AUTH_TOKEN": account.auth_token,
        "GATEWAY_CATALOG_URL": sandbox.url,
        "GATEWAY_CORE_URL": sandbox.url,
        **more,
    }


# The table ----------------------------------------------------------------------------------------


def test_every_switch_of_the_sandbox_is_an_assumption_that_expects_its_default() -> None:
    by_switch = {each.switch: each for each in ASSUMPTIONS if each.switch is not None}
    assert {name: each.expected for name, each in by_switch.items()} == asdict(Switches())
    assert len(by_switch) == sum(each.switch is not None for each in ASSUMPTIONS)
    readable = {name for name, each in by_switch.items() if each.probe is not None}
    assert readable == set(FLIPPED)


def test_every_assumption_has_a_name_of_its_own_a_page_and_a_probe() -> None:
    assert len(BY_ID) == len(ASSUMPTIONS)
    names = [each.name for each in PROBES]
    assert len(set(names)) == len(names)
    for each in ASSUMPTIONS:
        assert each.probe is None or each.probe in names, each.id
        page, _, anchor = each.stated.partition("#")
        headings = re.findall(r"^#+ (.*)$", (ROOT / page).read_text(), re.MULTILINE)
        anchors = {re.sub(r"[^\w -]", "", it).lower().replace(" ", "-") for it in headings}
        assert not anchor or anchor in anchors, each.stated


def test_every_probe_reads_and_is_used() -> None:
    source = (ROOT / "gateway/cli/assumptions.py").read_text()
    names = (ROOT / "gateway/cli/probes.py").read_text().partition("class Answered")[2]
    for each in PROBES:
        assert f'"{each.name}"' in source + names, each.name
        assert str(each).startswith("GET ")


def test_the_page_is_current() -> None:
    text = (DOCS / "first-contact.md").read_text()
    assert "\n".join(page()) + "\n" == text, "run: python -m tools.first_contact"


# What is told -------------------------------------------------------------------------------------


def test_an_ordinary_sandbox_does_all_that_is_assumed(
    sandbox: RunningSandbox, account: SandboxAccount
) -> None:
    below = next(
        each
        for each in sandbox.all_accounts()
        if each.owner_account_sid == account.sid and each.sid != account.sid
    )
    every = [
        told(sandbox, credential(account)),
        told(sandbox, credential(account, "main")),
        told(sandbox, credential(account, "standard")),
        told(sandbox, credential(below)),
        *(told(sandbox, credential(sandbox.accounts()[role])) for role in ("parent", "core-only")),
    ]
    assert [of(found, "contradicted") for found in every] == [set()] * len(every)
    known = set[str]().union(*(of(found, "confirmed") for found in every))
    assert BY_ID.keys() - known == {each.id for each in ASSUMPTIONS if each.probe is None}
    assert not any(each.failed for found in every for each in found)


@pytest.mark.parametrize("name", FLIPPED)
def test_a_flipped_switch_is_told_and_nothing_else(
    sandbox: RunningSandbox, account: SandboxAccount, tmp_path: Path, name: str
) -> None:
    sandbox.set_switches(**{name: FLIPPED[name]})
    found = told(sandbox, credential(account, "main" if name in BY_KEY else "token"))
    assert [
        (each.assumption.switch, each.observed) for each in found if each.verdict == "contradicted"
    ] == [(name, FLIPPED[name])]
    chosen = first_contact.switches(found, {})
    file = tmp_path / "switches.toml"
    file.write_text(first_contact.switches_file(found, chosen))
    assert read_switches(file) == Switches().updated({name: FLIPPED[name]})


def test_a_sandbox_with_the_file_does_as_the_account_did(
    sandbox: RunningSandbox, account: SandboxAccount, tmp_path: Path
) -> None:
    """Told by the Auth Token and by a key: each adds to the file what it alone can tell."""
    file = tmp_path / "switches.toml"

    def write(found: list[Told], expected: Mapping[str, Any]) -> None:
        chosen = first_contact.switches(found, expected)
        file.write_text(first_contact.switches_file(found, chosen))

    sandbox.set_switches(**FLIPPED)
    write(told(sandbox, credential(account)), {})
    known = switches_in(file)
    write(told(sandbox, credential(account, "main"), known), known)
    assert read_switches(file) == Switches().updated(dict(FLIPPED))

    kept, known = file.read_text(), switches_in(file)
    small = SandboxSettings(switches=read_switches(file), numbers=2_000)
    with running_sandbox(small) as other:
        same = with_everything(other)
        for kind in ("token", "main"):
            found = told(other, credential(same, kind), known)
            assert of(found, "contradicted") == set()
            write(found, known)
            assert file.read_text() == kept


# Each assumption without a switch: a probe, where in its answer, and what stands there if it is
# not so.
OTHERWISE: Final[Mapping[str, tuple[str, tuple[str | int, ...], Any]]] = {
    "owned.shape": ("owned", ("body", OWNED, 0, "beta"), "yes"),
    "owned.instance": ("owned-one", ("body", "sid"), None),
    "owned.number": ("owned", ("body", OWNED, 0, "phone_number"), "4155550100"),
    "owned.dates": ("owned", ("body", OWNED, 0, "date_created"), "2015-07-30T23:19:04Z"),
    "owned.sids": ("owned", ("body", OWNED, 0, "sid"), "PN1"),
    "owned.paging": ("owned", ("body", "first_page_uri"), "https://api.twilio.com/x.json"),
    "owned.page-token": ("owned-page", ("body", "next_page_uri"), "/x.json?PageSize=1&Page=1"),
    "owned.next-page": ("owned-next", ("body", OWNED), []),
    "owned.partial": ("owned-partial", ("body", OWNED), []),
    "owned.missing-code": ("owned-missing", ("body", "code"), 20001),
    "owned.unknown-parameter": ("owned-unknown", ("status",), 400),
    "errors.shape": ("owned-missing", ("body", "message"), None),
    "page-size.code": ("owned-1001", ("body", "code"), 20001),
    "page-token.code": ("owned-token", ("body", "code"), 20001),
    "headers.request-id": ("owned", ("headers", "twilio-request-id"), "1"),
    "headers.concurrency": ("owned", ("headers", "twilio-concurrent-requests"), "few"),
    "headers.duration": ("owned", ("headers", "twilio-request-duration"), "80 ms"),
    "headers.json": ("owned", ("headers", "content-type"), "text/html"),
    "account.shape": ("account", ("body", "status"), None),
    "credentials.accounts-and-keys": ("keys", ("status",), 401),
    "credentials.token-reaches-subaccounts": ("below-owned", ("status",), 404),
    "countries.shape": ("countries", ("body", "countries"), None),
    "countries.one": ("country", ("body", "subresource_uris"), []),
    "countries.missing": ("country-missing", ("status",), 400),
    "search.shape": ("search", ("body", SALE, 0, "lata"), 834),
    "search.number": ("search", ("body", SALE, 0, "phone_number"), "4155550100"),
    "search.unknown-parameter": ("search-unknown", ("status",), 400),
    "search.bad-area-code": ("area-code", ("body", "code"), 20001),
    "catalog.presence": ("catalog", ("status",), 403),
    "catalog.shape": ("catalog", ("body", "items", 0, "geography"), "US"),
    "catalog.configuration": ("catalog-one", ("body", "items", 0, "configuration"), ...),
    "catalog.missing": ("catalog-missing", ("status",), 400),
    "catalog.page-size": ("catalog-1001", ("status",), 200),
    "catalog.search-shape": ("catalog-search", ("body", "items", 0, "type"), 1),
    "catalog.prices": ("catalog-search", ("body", "items", 0, "base_recurring_price"), "$1"),
    "catalog.paging": ("catalog-search", ("body", "meta", "url"), "/Numbers/AvailableNumbers"),
    "catalog.next-page": ("catalog-next", ("body", "items"), []),
    "prices.shape": ("prices", ("body", "price_unit"), None),
    "prices.amounts": ("prices", ("body", "phone_number_prices", 0, "base_price"), 1.15),
    "prices.currency": ("prices", ("body", "price_unit"), "usd"),
    "prices.types": ("prices", ("body", "phone_number_prices", 0, "number_type"), "toll_free"),
    "prices.missing": ("prices-missing", ("status",), 200),
    "regulations.shape": ("rules", ("body", "results", 0, "requirements"), []),
    "regulations.missing": ("rules-missing", ("status",), 404),
}


@pytest.fixture(scope="module")
def answers(shared_sandbox: RunningSandbox, account: SandboxAccount) -> Answers:
    answers = asked(shared_sandbox, credential(account))
    assert of(first_contact.judge(answers, {}), "contradicted") == set()
    return answers


def _changed(answer: Answered, where: tuple[str | int, ...], value: Any) -> Answered:
    """Return an answer that is otherwise at one place; `...` for a value: without it."""
    document = copy.deepcopy(answer._asdict() | {"headers": dict(answer.headers)})
    inner: Any = document
    for key in where[:-1]:
        inner = inner[key]
    inner[where[-1]] = value
    if value is ...:
        del inner[where[-1]]
    return Answered(**document)


@pytest.mark.parametrize("name", OTHERWISE)
def test_what_has_no_switch_is_told_too(answers: Answers, name: str) -> None:
    probe, where, value = OTHERWISE[name]
    before = answers[probe]
    answers.note(probe, _changed(before, where, value))
    found = first_contact.judge(answers, {})
    answers.note(probe, before)
    assert name in of(found, "contradicted")
    [one] = [each for each in found if each.assumption.id == name]
    assert isinstance(one.observed, str)
    assert first_contact.switches([one], {}) == {}


def test_no_assumption_is_left_out_of_these_tests() -> None:
    without = {each.id for each in ASSUMPTIONS if each.switch is None}
    assert without - OTHERWISE.keys() == {"credentials.subaccount-reaches-no-parent"}


# The command --------------------------------------------------------------------------------------


def test_it_reads_alone_no_more_than_it_said_and_prints_no_secret(
    sandbox: RunningSandbox, account: SandboxAccount, tmp_path: Path
) -> None:
    sandbox.set_switches(enabled_false="filter", search_cap=30)
    ledger = sandbox.ledger()
    sandbox.forget_requests()
    live = ("check", "--live", "--switches", "mine.toml")
    done = run(tmp_path, *live, variables=variables(sandbox, account), code=1)
    requests = sandbox.requests()
    assert {each["method"] for each in requests} == {"GET"}
    said = int(done.stderr.split(" GET requests at most")[0])
    assert said == len(PROBES)
    assert len(PROBES) - 1 <= len(requests) <= said + AGAIN
    assert sandbox.ledger() == ledger
    assert re.search(r"^contradicted search\.enabled-false: ", done.stdout, re.MULTILINE)
    assert 'expected "any", seen: "filter"' in done.stdout
    assert "Local.json?SmsEnabled=false&PageSize=50" in done.stdout
    assert "docs/mapping.md#filters; switch enabled_false" in done.stdout
    assert re.search(
        r"^\d+ confirmed, 2 contradicted, \d+ could not be told\.$", done.stdout, re.MULTILINE
    )
    written = (tmp_path / "mine.toml").read_text()
    assert read_switches(tmp_path / "mine.toml") == Switches(enabled_false="filter", search_cap=30)
    for secret in (
        account.sid,
        account.auth_token,
        *(each.auth_token for each in sandbox.all_accounts()),
    ):
        assert secret not in done.stdout + done.stderr + written


def test_machines_get_json(
    sandbox: RunningSandbox, account: SandboxAccount, tmp_path: Path
) -> None:
    sandbox.set_switches(missing_sid_status=410)
    asked = ("check", "--live", "--json")
    done = run(tmp_path, *asked, variables=variables(sandbox, account), code=1)
    document = json.loads(done.stdout)
    assert document["switches"] == {"missing_sid_status": 410}
    assert [each["id"] for each in document["assumptions"]] == list(BY_ID)
    [one] = [each for each in document["assumptions"] if each["verdict"] == "contradicted"]
    assert one["id"] == "owned.missing"
    assert (one["expected"], one["observed"], one["why"]) == (404, 410, None)
    assert one["request"].startswith("GET /2010-04-01/Accounts/{account}/IncomingPhoneNumbers/PN0")
    sandbox.reset_switches()
    run(tmp_path, *asked, variables=variables(sandbox, account))


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (
            {"kind": "html", "status": 404},
            " does not answer as the upstream does: it was answered 404",
        ),
        (
            {"kind": "html", "status": 200},
            " does not answer as the upstream does: it was answered 200",
        ),
        (
            {"kind": "redirect", "location": "https://example.com/"},
            "it was redirected (302)",
        ),
        (
            {"kind": "wrong-shape", "status": 404, "body": {"errors": [{"message": "No"}]}},
            "it was answered 404 without an error code",
        ),
    ],
)
def test_where_somebody_else_answers_nothing_more_is_asked(
    sandbox: RunningSandbox,
    account: SandboxAccount,
    tmp_path: Path,
    fault: dict[str, Any],
    said: str,
) -> None:
    sandbox.set_faults([fault])
    done = run(tmp_path, "check", "--live", variables=variables(sandbox, account), code=1)
    assert said in done.stderr
    assert "Is core_url right?" in done.stderr
    assert len(sandbox.requests()) == 1


def test_a_suspended_account_is_asked_for_nothing_more(
    sandbox: RunningSandbox, tmp_path: Path
) -> None:
    suspended = sandbox.accounts()["suspended"]
    done = run(tmp_path, "check", "--live", variables=variables(sandbox, suspended), code=1)
    assert "the upstream refuses the credentials (403 20005)" in done.stderr
    assert len(sandbox.requests()) == 1


def test_wrong_credentials_are_asked_with_once(
    sandbox: RunningSandbox, account: SandboxAccount, tmp_path: Path
) -> None:
    wrong = variables(sandbox, account, TWILIO_AUTH_TOKEN="0" * 32)
    done = run(tmp_path, "check", "--live", "--switches", "mine.toml", variables=wrong, code=1)
    assert "the upstream refuses the credentials (401 20003)" in done.stderr
    assert done.stdout == ""
    assert len(sandbox.requests()) == 1
    assert not (tmp_path / "mine.toml").exists()


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ({"kind": "status", "status": 503}, "it was answered 503 20503"),
        ({"kind": "held"}, "there was no answer within 1 s"),
        ({"kind": "truncate"}, "the connection broke"),
        ({"kind": "html", "status": 404}, "it was answered 404, and not in JSON"),
        ({"kind": "huge-body"}, "larger"),
    ],
)
def test_what_one_probe_does_not_tell_others_do(
    sandbox: RunningSandbox, account: SandboxAccount, fault: dict[str, Any], why: str
) -> None:
    sandbox.set_faults([fault | {"path": "*/AvailablePhoneNumbers/US.json", "count": None}])
    patience = 1.0 if fault["kind"] == "held" else 20.0
    found = first_contact.judge(asked(sandbox, credential(account), patience), {})
    assert of(found, "contradicted") == set()
    failed = {each.assumption.id: each.why for each in found if each.failed}
    assert why in failed["countries.one"]
    # On a busy machine others may be late, too.
    others = {why for name, why in failed.items() if name != "countries.one"}
    assert others <= ({why} if fault["kind"] == "held" else set())


def test_probes_that_come_too_fast_are_sent_once_more(
    sandbox: RunningSandbox, account: SandboxAccount, tmp_path: Path
) -> None:
    sandbox.set_faults([{"kind": "429", "count": 2, "retry_after": "0"}])
    run(tmp_path, "check", "--live", variables=variables(sandbox, account), code=1)
    sandbox.set_faults([{"kind": "429", "skip": 1, "retry_after": "0"}])
    run(tmp_path, "check", "--live", variables=variables(sandbox, account))
    sandbox.forget_requests()
    sandbox.set_faults([{"kind": "429", "count": None, "skip": 1, "retry_after": "0"}])
    run(tmp_path, "check", "--live", variables=variables(sandbox, account), code=1)
    assert len(sandbox.requests()) <= len(PROBES) + AGAIN


def test_where_nobody_answers_it_says_so(tmp_path: Path, sandbox: RunningSandbox) -> None:
    account = sandbox.accounts()["parent"]
    nowhere = variables(sandbox, account, GATEWAY_CORE_URL="http://127.0.0.1:1")
    alone = nowhere | {"GATEWAY_CATALOG_URL": "http://127.0.0.1:1"}
    done = run(tmp_path, "check", "--live", variables=alone, code=1)
    assert done.stdout == ""
    assert "no request was answered: 127.0.0.1:1 could not be reached: " in done.stderr
    done = run(tmp_path, "check", "--live", variables=nowhere, code=1)
    assert "127.0.0.1:1 could not be reached: " in done.stdout
    assert re.search(r"^confirmed +catalog\.presence: ", done.stdout, re.MULTILINE)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--live",), 1, "no credentials: set TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN"),
        (("--json",), 2, "--json is for --live"),
        (("--switches", "mine.toml"), 2, "--switches is for --live"),
        (("--expect", "mine.toml"), 2, "--expect is for --live"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(
    tmp_path: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    done = run(tmp_path, "check", *arguments, code=code)
    assert done.stderr == f"number-gateway: {said}\n"


def test_a_wrong_sid_is_named_before_anything_is_asked(
    sandbox: RunningSandbox, account: SandboxAccount, tmp_path: Path
) -> None:
    wrong = variables(sandbox, account, TWILIO_ACCOUNT_SID="AC../" + "0" * 29)
    done = run(tmp_path, "check", "--live", variables=wrong, code=1)
    assert done.stderr == (
        "number-gateway: account_sid: It is not the sid of an account: AC and 32 hexadecimal"
        " digits.\n"
    )
    assert sandbox.requests() == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--switches", "."), ". cannot be written: Is a directory"),
        (("--switches", "no/mine.toml"), "no/mine.toml cannot be written: No such file or"),
        (("--switches", "notes.txt"), "notes.txt is not a file of switches: "),
        (("--expect", "none.toml"), "none.toml cannot be read: No such file or directory"),
        (("--expect", "bad.toml"), "bad.toml says no version"),
    ],
)
def test_files_are_looked_at_before_anything_is_asked(
    sandbox: RunningSandbox,
    account: SandboxAccount,
    tmp_path: Path,
    arguments: tuple[str, ...],
    said: str,
) -> None:
    (tmp_path / "bad.toml").write_text("[switches]\n")
    (tmp_path / "notes.txt").write_text("Dear reader, …")
    live = ("check", "--live", *arguments)
    done = run(tmp_path, *live, variables=variables(sandbox, account), code=1)
    assert done.stderr.startswith(f"number-gateway: {said}")
    assert done.stderr.count("\n") == 1
    assert sandbox.requests() == []
    assert (tmp_path / "notes.txt").read_text() == "Dear reader, …"


def test_the_first_probe_is_the_one_that_says_whether_the_credentials_are_good() -> None:
    assert PROBES[0] is FIRST
