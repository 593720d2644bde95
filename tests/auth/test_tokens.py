"""Who is asking: JSON Web Tokens, their accounts and their scopes."""

import ast
import asyncio
import base64
import os
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from graphql import ObjectTypeDefinitionNode, parse, print_ast

from gateway.auth.authentication import OwnAccount, authenticator
from gateway.auth.token_rules import TokenRules
from gateway.auth.tokens import KeyUrl, Tokens
from gateway.errors import Unauthenticated
from gateway.upstream.call import Credential
from tests.support.bare_settings import bare_settings
from tests.support.gateway_in_thread import RunningGateway, running_gateway
from tests.support.sandbox_in_thread import RunningSandbox, SandboxAccount
from tests.support.tokens import (
    AUDIENCE,
    EC_KEY,
    ISSUER,
    RSA_KEY,
    SCOPES,
    SECRET,
    TOKENS_MODE,
    ask,
    code,
    hand_made,
    key_set,
    token,
)

_READ = "{ phoneNumbers(first: 1) { nodes { sid accountSid } } }"
_MODE = TOKENS_MODE | {"token_leeway": 0}


@pytest.fixture(scope="module")
def parent(shared_sandbox: RunningSandbox) -> SandboxAccount:
    return shared_sandbox.accounts()["parent"]


@pytest.fixture(scope="module")
def guarded(shared_sandbox: RunningSandbox, parent: SandboxAccount) -> Iterator[RunningGateway]:
    """A gateway in tokens mode that acts through the parent account."""
    own: dict[str, Any] = {"account_sid": parent.sid, "auth_token": parent.auth_token}
    with running_gateway(shared_sandbox, **_MODE, **own) as gateway:
        yield gateway


@pytest.fixture
def other(shared_sandbox: RunningSandbox) -> SandboxAccount:
    return shared_sandbox.subaccounts()[0]


# Whether a token is good --------------------------------------------------------------------------


def test_a_good_token_is_let_in(guarded: RunningGateway, parent: SandboxAccount) -> None:
    answer = ask(guarded, token(parent.sid), _READ)
    assert answer.json()["data"]["phoneNumbers"]["nodes"][0]["accountSid"] == parent.sid


def _unsigned(claims: str) -> str:
    head = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').decode().rstrip("=")
    return f"{head}.{claims}."


def _claims(**other: object) -> dict[str, object]:
    """Claims that are good now, but for `other`."""
    return {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "somebody",
        "exp": int(time.time()) + 600,
        "accounts": ["AC" + "0" * 32],
        "scope": SCOPES,
    } | other


def test_a_token_made_by_hand_is_as_good_as_one_of_a_library(guarded: RunningGateway) -> None:
    """So what is refused below is refused for what is wrong with it."""
    assert ask(guarded, hand_made(_claims(), SECRET), "{ __typename }").status_code == 200
    far = hand_made(_claims(exp=10**300, sub="\u00e9 \U0001f600"), SECRET)
    assert ask(guarded, far, "{ __typename }").status_code == 200


# Made when they are sent, as they are good for some minutes only.
_BAD: dict[str, Callable[[], str | None]] = {
    "T-01-none": lambda: None,
    "T-03-garbage": lambda: "garbage",
    "T-04-dots": lambda: "...",
    "T-05-too-long": lambda: "a" * 20_000,
    "T-06-other-secret": lambda: token(
        "AC" + "0" * 32, key="another-secret-that-is-long-enough-too"
    ),
    "T-07-expired": lambda: token("AC" + "0" * 32, exp=int(time.time()) - 10),
    "T-08-not-yet": lambda: token("AC" + "0" * 32, nbf=int(time.time()) + 600),
    "T-09-other-issuer": lambda: token("AC" + "0" * 32, iss="https://evil.example"),
    "T-10-other-audience": lambda: token("AC" + "0" * 32, aud="another"),
    "T-11-no-expiry": lambda: token("AC" + "0" * 32, exp=None),
    "T-12-no-subject": lambda: token("AC" + "0" * 32, sub=None),
    "T-13-no-audience": lambda: token("AC" + "0" * 32, aud=None),
    "T-14-no-issuer": lambda: token("AC" + "0" * 32, iss=None),
    "T-15-other-algorithm": lambda: token("AC" + "0" * 32, algorithm="HS512", key=SECRET * 2),
    "T-16-unsigned": lambda: _unsigned(token("AC" + "0" * 32).split(".")[1]),
    "T-17-signature-cut": lambda: token("AC" + "0" * 32)[:-4],
    "T-18-payload-changed": lambda: ".".join(
        [token("a").split(".")[0], token("AC" + "1" * 32).split(".")[1], token("a").split(".")[2]]
    ),
    "T-19-rsa-signed": lambda: token("AC" + "0" * 32, key=RSA_KEY, algorithm="RS256"),
    "T-20-expiry-text": lambda: hand_made(_claims(exp="never"), SECRET),
    "T-21-expiry-list": lambda: hand_made(_claims(exp=[9_999_999_999]), SECRET),
    "T-22-expiry-infinite": lambda: hand_made(_claims(exp=float("inf")), SECRET),
    "T-23-claims-list": lambda: hand_made([_claims()], SECRET),  # type: ignore[arg-type]
    "T-24-audience-number": lambda: hand_made(_claims(aud=7), SECRET),
    "T-25-subject-number": lambda: hand_made(_claims(sub=7), SECRET),
    "T-26-critical-header": lambda: hand_made(_claims(), SECRET, crit="x"),
    "T-27-expiry-huge": lambda: hand_made(_claims(exp=10**400), SECRET),
    "T-28-expiry-nan": lambda: hand_made(_claims(exp=float("nan")), SECRET),
    "T-29-not-before-infinite": lambda: hand_made(_claims(nbf=float("inf")), SECRET),
    "T-30-issued-huge": lambda: hand_made(_claims(iat=10**400), SECRET),
    "T-31-subject-empty": lambda: hand_made(_claims(sub=""), SECRET),
    "T-32-subject-lone-surrogate": lambda: hand_made(_claims(sub="\ud800"), SECRET),
    "T-33-expiry-nothing": lambda: hand_made(_claims(exp=None), SECRET),
}


@pytest.mark.parametrize("probe", _BAD)
def test_a_bad_token_is_refused(guarded: RunningGateway, probe: str) -> None:
    bearer = _BAD[probe]()
    answer = ask(guarded, bearer, "{ __typename }")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert code(answer) == "UNAUTHENTICATED"
    assert not bearer or bearer not in answer.text


@pytest.mark.parametrize("scheme", ["Bearer   ", "BEARER "])
def test_blanks_and_case_of_the_scheme_do_not_matter(
    guarded: RunningGateway, parent: SandboxAccount, scheme: str
) -> None:
    sent = scheme + token(parent.sid)
    answer = ask(guarded, None, "{ account { sid } }", authorization=sent)
    assert answer.json() == {"data": {"account": {"sid": parent.sid}}}


def test_upstream_credentials_are_not_taken_for_a_token(
    guarded: RunningGateway, parent: SandboxAccount
) -> None:
    assert guarded.post({"query": "{ __typename }"}, account=parent).status_code == 401


def test_a_caller_is_known_by_its_token_until_that_expires_or_the_keys_change(
    tmp_path: Path,
) -> None:
    file, now = tmp_path / "keys.json", [time.time()]
    file.write_text(key_set(one=EC_KEY), encoding="utf-8")
    mode = _MODE | {"token_algorithm": "ES256", "token_keys": str(file)}
    account = "AC" + "0" * 32
    rules = bare_settings(**mode).pick(TokenRules)
    tokens = Tokens(rules, Credential(account, "secret", account, account), lambda: now[0])
    made = token(account, key=EC_KEY, algorithm="ES256", headers={"kid": "one"})
    bearer = f"Bearer {made}"
    assert tokens.known(bearer, "") is None
    caller = asyncio.run(tokens.caller(bearer, ""))
    assert tokens.known(bearer, "") is caller
    assert tokens.known(bearer, account) is None
    assert tokens.known(f"{bearer} ", "") is None
    now[0] += 601
    assert tokens.known(bearer, "") is None
    now[0] -= 601
    assert tokens.known(bearer, "") is caller
    os.utime(file, (1, 1))
    assert tokens.known(bearer, "") is None


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_keys_come_from_a_file_that_may_change(
    shared_sandbox: RunningSandbox, parent: SandboxAccount, tmp_path: Path, algorithm: str
) -> None:
    key = RSA_KEY if algorithm == "RS256" else EC_KEY
    file = tmp_path / "keys.json"
    file.write_text(key_set(one=key), encoding="utf-8")
    mode = _MODE | {"token_algorithm": algorithm, "token_keys": str(file)}
    own: dict[str, Any] = {"account_sid": parent.sid, "auth_token": parent.auth_token}
    with running_gateway(shared_sandbox, **mode, **own) as gateway:

        def status(kid: str | None) -> int:
            head = {"kid": kid} if kid else {}
            bearer = token(parent.sid, key=key, algorithm=algorithm, headers=head)
            return ask(gateway, bearer, _READ).status_code

        assert status("one") == 200
        assert status(None) == 200
        assert status("two") == 401
        file.write_text(key_set(two=key) + " ", encoding="utf-8")
        assert status("two") == 200
        assert status("one") == 401
        file.write_text("no longer a key set, but a new time of change", encoding="utf-8")
        assert status("two") == 200
        # The classic confusion: the public key as the secret of a symmetric signature.
        forged = hand_made(_claims(), key_set(two=key), kid="two")
        assert ask(gateway, forged, _READ).status_code == 401


def test_keys_come_from_a_url_and_are_fetched_seldom(
    shared_sandbox: RunningSandbox, parent: SandboxAccount
) -> None:
    fetched: list[str] = []

    class Keys(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            fetched.append(self.path)
            body = key_set(one=RSA_KEY).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Keys) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/keys"
        mode = _MODE | {"token_algorithm": "RS256", "token_keys": url}
        own: dict[str, Any] = {"account_sid": parent.sid, "auth_token": parent.auth_token}
        with running_gateway(shared_sandbox, **mode, **own) as gateway:
            for kid, status in (("one", 200), ("one", 200), ("two", 401), ("three", 401)):
                bearer = token(parent.sid, key=RSA_KEY, algorithm="RS256", headers={"kid": kid})
                assert ask(gateway, bearer, _READ).status_code == status
        server.shutdown()
    assert fetched == ["/keys"]


def test_whose_key_is_known_does_not_wait_while_keys_are_fetched() -> None:
    """Or strangers, who may name any key, could make all wait for a slow issuer."""
    now = 1000.0
    slow = asyncio.Event()

    class Slow(KeyUrl):
        async def _fetch(self) -> None:
            if self._keys:
                await slow.wait()
            self._keys = {"one": RSA_KEY.public_key()}  # type: ignore[dict-item]
            self._fetched_at = now

    async def run() -> None:
        nonlocal now
        keys = Slow("https://issuer.example", lambda: now)
        await keys.key("one")
        now += 60
        strangers = [asyncio.create_task(keys.key(f"no {index}")) for index in range(3)]
        await asyncio.sleep(0)
        async with asyncio.timeout(60):
            await keys.key("one")
            now += 300
            await keys.key("one")
        assert not any(each.done() for each in strangers)
        strangers[0].cancel()
        slow.set()
        refused = await asyncio.gather(*strangers, return_exceptions=True)
        assert [type(each) for each in refused[1:]] == [Unauthenticated] * 2

    asyncio.run(run())


def test_without_keys_nobody_is_let_in(
    shared_sandbox: RunningSandbox, parent: SandboxAccount
) -> None:
    mode = _MODE | {"token_algorithm": "RS256", "token_keys": "http://127.0.0.1:9/keys"}
    own: dict[str, Any] = {"account_sid": parent.sid, "auth_token": parent.auth_token}
    with running_gateway(shared_sandbox, **mode, **own) as gateway:
        bearer = token(parent.sid, key=RSA_KEY, algorithm="RS256", headers={"kid": "one"})
        answer = ask(gateway, bearer, _READ)
    assert code(answer) == "AUTHENTICATION_UNAVAILABLE"
    assert "data" not in answer.json()


@pytest.mark.parametrize(
    "wrong",
    [
        {"token_secret": "short"},
        {"token_secret": None},
        {"token_issuer": None},
        {"token_audience": None},
        {"token_algorithm": "RS256"},
        {"token_algorithm": "RS256", "token_keys": "/nowhere/keys.json"},
        {"account_sid": None},
    ],
    ids=lambda wrong: "-".join(f"{name}={value}" for name, value in wrong.items()),
)
def test_settings_that_do_not_go_together_are_refused_at_the_start(
    wrong: dict[str, Any],
) -> None:
    own: dict[str, Any] = {
        "account_sid": "AC" + "0" * 32,
        "auth_token": "secret",
    }
    settings = bare_settings(**(own | _MODE | wrong))
    with pytest.raises(ValueError, match=r"token_|account_sid"):
        authenticator(settings.auth, settings.pick(OwnAccount), settings.pick(TokenRules))


# Accounts -----------------------------------------------------------------------------------------


def test_a_token_without_accounts_can_do_nothing(guarded: RunningGateway) -> None:
    for bearer in (token(), token("PN" + "0" * 32), token(accounts=7), token(accounts=None)):
        assert code(ask(guarded, bearer, _READ)) == "FORBIDDEN"


def _everywhere(account: str, sid: str) -> dict[str, str]:
    """Return operations that name an account, each in another place."""
    own = f'accountSid: "{account}"'
    return {
        "A-01-phone-number": f'{{ phoneNumber(sid: "{sid}", {own}) {{ sid }} }}',
        "A-02-phone-numbers": f"{{ phoneNumbers({own}) {{ nodes {{ sid }} }} }}",
        "A-03-available": f'{{ availablePhoneNumbers(country: "US", {own}) {{ nodes {{ beta }} }} }}',
        "A-04-account": f'{{ account(sid: "{account}") {{ sid }} }}',
        "A-06-node-of-account": f'{{ node(id: "{account}") {{ id }} }}',
        "A-07-rate-limit": f"{{ rateLimit({own}) {{ requests {{ limit }} }} }}",
        "A-08-purchase": "mutation { purchasePhoneNumber(input: {"
        f' phoneNumber: "+15005550006", {own} }}) {{ userErrors {{ code }} }} }}',
        "A-09-configure": f'mutation {{ configurePhoneNumber(input: {{ sid: "{sid}", {own},'
        ' configuration: { friendlyName: "x" } }) { userErrors { code } } }',
        "A-10-release": f'mutation {{ releasePhoneNumber(input: {{ sid: "{sid}", {own},'
        ' confirmPhoneNumber: "+15005550006" }) { userErrors { code } } }',
        "A-11-transfer-from": f'mutation {{ transferPhoneNumber(input: {{ sid: "{sid}", {own},'
        f' toAccountSid: "{account}" }}) {{ userErrors {{ code }} }} }}',
        "A-12-transfer-to": f'mutation {{ transferPhoneNumber(input: {{ sid: "{sid}",'
        f' toAccountSid: "{account}" }}) {{ userErrors {{ code }} }} }}',
    }


_PLACES = list(_everywhere("", ""))


@pytest.mark.parametrize("place", _PLACES)
def test_an_account_of_somebody_else_is_refused_wherever_it_is_named(
    guarded: RunningGateway,
    sandbox: RunningSandbox,
    parent: SandboxAccount,
    other: SandboxAccount,
    place: str,
) -> None:
    sid = sandbox.numbers(other.sid)[0]["sid"]
    sandbox.forget_requests()
    answer = ask(guarded, token(parent.sid), _everywhere(other.sid, sid)[place])
    assert code(answer) == "FORBIDDEN"
    assert not (answer.json().get("data") or {}).get("rateLimit")
    assert sandbox.requests() == []


def test_a_cursor_of_another_account_is_refused(
    guarded: RunningGateway, parent: SandboxAccount, other: SandboxAccount
) -> None:
    page = "query q($a: ID!, $c: String) { phoneNumbers(first: 1, accountSid: $a, after: $c) {"
    page += " pageInfo { endCursor } } }"
    both = token(parent.sid, other.sid)
    answer = ask(guarded, both, page, {"a": other.sid}).json()
    cursor = answer["data"]["phoneNumbers"]["pageInfo"]["endCursor"]
    answer2 = ask(guarded, token(parent.sid), page, {"a": parent.sid, "c": cursor})
    assert code(answer2) == "BAD_USER_INPUT"


def test_a_bearer_sees_the_accounts_of_the_token_and_acts_for_the_first(
    guarded: RunningGateway, parent: SandboxAccount, other: SandboxAccount
) -> None:
    query = """{
      account {
        sid
        subaccounts(first: 1) { nodes { sid } pageInfo { hasNextPage hasPreviousPage } }
      }
      phoneNumbers { nodes { accountSid } }
    }"""
    answer = ask(guarded, token(parent.sid, other.sid), query).json()["data"]
    assert answer["account"]["sid"] == parent.sid
    assert answer["account"]["subaccounts"] == {
        "nodes": [{"sid": other.sid}],
        "pageInfo": {"hasNextPage": False, "hasPreviousPage": False},
    }
    answer = ask(guarded, token(other.sid, parent.sid), query).json()["data"]
    assert answer["account"]["sid"] == other.sid
    owners = {each["accountSid"] for each in answer["phoneNumbers"]["nodes"]}
    assert owners == {other.sid}


def test_an_account_that_the_token_does_not_name_stops_its_own_item_alone(
    guarded: RunningGateway, parent: SandboxAccount, other: SandboxAccount
) -> None:
    sids = [each["sid"] for each in guarded.sandbox.numbers(parent.sid)[:3]]
    query = """mutation ($own: ID!, $second: ID!, $third: ID!, $foreign: ID!) {
      configurePhoneNumbers(input: {items: [
        {sid: $second, accountSid: $foreign, configuration: {friendlyName: "x"}},
        {sid: $own, configuration: {friendlyName: "mine"}}]}) {
          results { userErrors { field message code } } }
      transferPhoneNumbers(input: {items: [{sid: $third, toAccountSid: $foreign}]}) {
          results { userErrors { field } } } }"""
    variables = dict(zip(("own", "second", "third"), sids, strict=True)) | {"foreign": other.sid}
    data = ask(guarded, token(parent.sid), query, variables).json()["data"]
    foreign, own = data["configurePhoneNumbers"]["results"]
    [error] = foreign["userErrors"]
    assert (error["field"], error["code"]) == (["items", "0", "accountSid"], "FORBIDDEN")
    assert "not among those that you may use" in error["message"]
    assert own["userErrors"] == []
    [moved] = data["transferPhoneNumbers"]["results"]
    assert moved["userErrors"] == [{"field": ["items", "0", "toAccountSid"]}]


def test_the_header_chooses_among_the_tokens_accounts(
    guarded: RunningGateway, parent: SandboxAccount, other: SandboxAccount
) -> None:
    query = "{ account { sid } }"
    both = token(parent.sid, other.sid)
    chosen = ask(guarded, both, query, x_account_sid=other.sid).json()["data"]
    assert chosen == {"account": {"sid": other.sid}}
    refused = ask(guarded, token(parent.sid), query, x_account_sid=other.sid)
    assert code(refused) == "FORBIDDEN"


# Scopes -------------------------------------------------------------------------------------------

_NEEDS = {
    "numbers:read": "{ phoneNumbers { nodes { sid } } }",
    "accounts:read": "{ account { sid } }",
    "numbers:purchase": "mutation { purchasePhoneNumber("
    'input: { phoneNumber: "NUMBER", dryRun: true }) { userErrors { code } } }',
    "numbers:configure": 'mutation { configurePhoneNumber(input: { sid: "SID", dryRun: true,'
    ' configuration: { friendlyName: "x" } }) { userErrors { code } } }',
    "numbers:transfer": 'mutation { transferPhoneNumber(input: { sid: "SID", dryRun: true,'
    ' toAccountSid: "ACCOUNT" }) { userErrors { code } } }',
    "numbers:release": 'mutation { releasePhoneNumber(input: { sid: "SID", dryRun: true,'
    ' confirmPhoneNumber: "NUMBER" }) { userErrors { code } } }',
}


@pytest.mark.parametrize("scope", _NEEDS)
def test_each_scope_opens_its_own_door_and_no_other(
    guarded: RunningGateway, parent: SandboxAccount, scope: str
) -> None:
    query = _NEEDS[scope].replace("ACCOUNT", parent.sid)
    query = query.replace("SID", "PN" + "0" * 32).replace("NUMBER", "+15005550006")
    assert code(ask(guarded, token(parent.sid, scope=scope), query)) == ""
    others = [each for each in SCOPES.split() if each != scope]
    answer = ask(guarded, token(parent.sid, scope=others), query)
    assert code(answer) == "FORBIDDEN"
    assert answer.json()["errors"][0]["extensions"]["requiredScopes"] == [scope]
    assert "data" not in answer.json()


@pytest.mark.parametrize(
    "query",
    [
        "{ phoneNumbers(first: 1) { nodes { account { sid } } } }",
        "{ ...f } fragment f on Query { account { sid } }",
        "{ __typename ... @include(if: true) { account { sid } } }",
    ],
    ids=["nested", "fragment", "inline"],
)
def test_scopes_are_needed_at_any_depth(
    guarded: RunningGateway, parent: SandboxAccount, query: str
) -> None:
    answer = ask(guarded, token(parent.sid, scope="numbers:read"), query)
    assert answer.json()["errors"][0]["extensions"]["requiredScopes"] == ["accounts:read"]


def test_an_account_is_not_read_through_its_node_without_the_scope(
    guarded: RunningGateway, parent: SandboxAccount
) -> None:
    query = f'{{ node(id: "{parent.sid}") {{ id }} }}'
    assert code(ask(guarded, token(parent.sid, scope="numbers:read"), query)) == "FORBIDDEN"
    assert code(ask(guarded, token(parent.sid), query)) == ""


@pytest.mark.parametrize("scope", [None, "", [], "numbers:*", "NUMBERS:READ", 7, {"a": 1}])
def test_scopes_that_are_none_of_ours_open_nothing(
    guarded: RunningGateway, parent: SandboxAccount, scope: object
) -> None:
    assert code(ask(guarded, token(parent.sid, scope=scope), _READ)) == "FORBIDDEN"


# What a caller may ask for about itself.
_OPEN = {("Query", "rateLimit")}
_WRITES = {"purchase", "configure", "transfer", "release"}


def test_every_root_field_needs_a_scope_and_every_write_its_own() -> None:
    """By the schema that clients see; the gateway reads the same directives."""
    document = parse(Path("schema/schema.graphql").read_text(encoding="utf-8"))
    types = {
        each.name.value: each
        for each in document.definitions
        if isinstance(each, ObjectTypeDefinitionNode)
    }
    for root in ("Query", "Mutation", "Subscription"):
        for field in types[root].fields or ():
            name = field.name.value
            given = [
                ast.literal_eval(print_ast(argument.value))
                for directive in field.directives or ()
                for argument in directive.arguments or ()
                if directive.name.value == "requiresScopes"
            ]
            if root == "Mutation":
                verb = name.split("Phone")[0]
                assert verb in _WRITES, name
                assert given == [[[f"numbers:{verb}"]]], name
            elif (root, name) in _OPEN:
                assert given == [], name
            else:
                assert given in ([[["numbers:read"]]], [[["accounts:read"]]]), name
