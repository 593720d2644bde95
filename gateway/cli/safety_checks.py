"""`number-gateway check`: which settings are unsafe, and what the upstream credentials can do."""

import asyncio
import stat
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

import orjson

from gateway.app import compose, dialler_for
from gateway.auth.authentication import OwnAccount, own_credential, wrong_sids
from gateway.auth.caller import Caller
from gateway.auth.token_rules import TokenRules
from gateway.auth.tokens import problems
from gateway.cli.progress import counted
from gateway.documents.limits import Limits
from gateway.documents.trusted import manifest_for
from gateway.errors import UpstreamUnavailable
from gateway.execution.json_encoding import encode
from gateway.execution.request import Request
from gateway.server import open_files
from gateway.server.leaving import held
from gateway.settings.loopback import is_loopback
from gateway.settings.model import Settings, unlimited
from gateway.settings.proxy_url import chosen_proxy
from gateway.settings.secret import Secret
from gateway.settings.sources import settings_file
from gateway.settings.store_url import StoreUrl
from gateway.storage.chosen_store import StoreOptions, make_store
from gateway.storage.store import Condition, StoreUnavailable
from gateway.storage.store_advice import advice_on
from gateway.upstream.call import Api
from gateway.upstream.dialling import NotConnected
from gateway.upstream.pools import Connections
from gateway.upstream.proxies import Origin
from gateway.writes.file_journal import obstacle

Severity = Literal["danger", "warning"]


_PROXIES = ("proxy", "https_proxy", "http_proxy")
_SECRETS = frozenset({"auth_token", "api_key_secret", "token_secret", "store_url", *_PROXIES})


class Finding(NamedTuple):
    """Something about the settings that an operator should know before going live.

    Attributes:
        severity: `danger` lets somebody in, or money or secrets out; `warning` may be meant so.
        setting: name of the setting to change.
        message: a sentence: what it means, and what to do.
    """

    severity: Severity
    setting: str
    message: str


def findings(settings: Settings) -> list[Finding]:
    """Return all that is unsafe about the settings, the worst first."""
    rules = (
        *(_who, _tokens, _sids, _secrets, _documents, _browsers),
        *(_shown, _spending, _sharing, _store, _operation, _webhooks, _limits, _patience, _files),
    )
    found = [finding for rule in rules for finding in rule(settings)]
    return sorted(found, key=lambda each: each.severity)


def _who(settings: Settings) -> Iterator[Finding]:
    if settings.auth is None:
        yield Finding("danger", "auth", "It is not said who may ask: the gateway will not start.")
    if settings.auth == "open" and not is_loopback(settings.host):
        yield Finding(
            "danger", "auth", "Open mode lets everybody who reaches this host act as the account."
        )
    if settings.auth == "open" and settings.production:
        yield Finding("danger", "auth", "Open mode asks nobody who they are; use tokens.")
    if not settings.production:
        yield Finding(
            "warning",
            "production",
            "Not in production mode: the schema, the explorer and explanations are for everybody.",
        )


def _tokens(settings: Settings) -> Iterator[Finding]:
    if settings.auth != "tokens":
        return
    if own_credential(settings.pick(OwnAccount)) is None:
        yield Finding("danger", "auth", "auth=tokens needs account_sid and auth_token to act with.")
    for problem in problems(settings.pick(TokenRules)):
        yield Finding("danger", "auth", problem)
    keys = settings.token_keys or ""
    if keys.startswith("http://") and not is_loopback(urlsplit(keys).hostname or ""):
        yield Finding(
            "danger",
            "token_keys",
            "Keys come over plain HTTP: others can put theirs in.",
        )
    most = 60
    if settings.token_leeway > most:
        yield Finding(
            "warning",
            "token_leeway",
            "Tokens stay good for long after they have expired.",
        )


def _sids(settings: Settings) -> Iterator[Finding]:
    """Name what cannot say whose the credentials are."""
    for name, problem in wrong_sids(settings.pick(OwnAccount)):
        yield Finding("danger", name, problem)


def _secrets(settings: Settings) -> Iterator[Finding]:
    given = {name: url for name in settings.urls if (url := getattr(settings, name))}
    for name, address in given.items():
        url = urlsplit(address)
        if url.scheme != "https" and not is_loopback(url.hostname or ""):
            yield Finding("danger", name, "Credentials would go to the upstream unencrypted.")
    if settings.auth_token is not None and settings.api_key_sid is None:
        yield Finding(
            "warning",
            "api_key_sid",
            "The account's own auth token is in use; an API key can be revoked alone, and reaches"
            " no subaccounts.",
        )
    for name in _PROXIES:
        if _tells_in_the_open(getattr(settings, name)):
            message = "User and password go to the proxy unencrypted."
            yield Finding("warning", name, message)
    key = settings.upstream_key or settings.upstream_certificate
    if key is not None and _is_shown(key):
        message = f"{key.name} holds a key, and can be read by other users: chmod 600."
        yield Finding("warning", "upstream_key", message)
    if _is_shown(Path(".env")):
        yield Finding("warning", "auth_token", ".env can be read by other users: chmod 600.")
    yield from _secrets_in_file(settings_file(settings.config))


def _tells_in_the_open(url: Secret | None) -> bool:
    proxy = chosen_proxy(url)
    if proxy is None or not proxy.has_password:
        return False
    return not proxy.is_encrypted and not is_loopback(proxy.host)


def _secrets_in_file(file: Path | None) -> Iterator[Finding]:
    """Name the secrets in a TOML file that more than its owner can read."""
    if file is None or not _is_shown(file):
        return
    for name in tomllib.loads(file.read_text(encoding="utf-8")):
        if name in _SECRETS:
            yield Finding(
                "warning",
                name,
                f"It stands in {file.name}, which can be read by other users: chmod 600.",
            )


def _is_shown(file: Path) -> bool:
    """Whether others than the owner can read a file; not one that is not there."""
    try:
        return bool(file.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH))
    except OSError:
        return False


def _documents(settings: Settings) -> Iterator[Finding]:
    try:
        manifest_for(settings.trusted_documents, only=settings.trusted_documents_only)
    except ValueError as error:
        yield Finding("danger", "trusted_documents", f"The gateway will not start: {error}.")


def _browsers(settings: Settings) -> Iterator[Finding]:
    if "*" in settings.cors_origins:
        yield Finding("danger", "cors_origins", "Pages of every site may use the gateway.")
    if "null" in settings.cors_origins:
        message = "`null` is the origin of sandboxed frames, which every site can make."
        yield Finding("danger", "cors_origins", message)
    for origin in settings.cors_origins:
        if origin.startswith("http://") and not is_loopback(urlsplit(origin).hostname or ""):
            yield Finding(
                "warning", "cors_origins", f"{origin} is plain HTTP: others can speak in its name."
            )
    if not settings.csrf_prevention:
        yield Finding(
            "danger", "csrf_prevention", "Any web page can make visitors' browsers send requests."
        )


def _shown(settings: Settings) -> Iterator[Finding]:
    if not settings.production:
        return
    for name in ("introspection", "explain"):
        if getattr(settings, name):
            yield Finding("warning", name, "It is on in production: clients see what it shows.")


def _spending(settings: Settings) -> Iterator[Finding]:
    for name, what in (("requests_per_minute", "requests"), ("purchases_per_day", "purchases")):
        chosen = getattr(settings, name)
        if chosen == 0 or (chosen is None and not settings.production):
            yield Finding("warning", name, f"A caller may make any number of {what}.")


def _sharing(settings: Settings) -> Iterator[Finding]:
    if settings.workers > 1 and settings.store_url is None:
        yield Finding(
            "warning",
            "store_url",
            f"{settings.workers} workers share nothing without a store: limits count in each, and"
            " events stay where they are.",
        )


def _store(settings: Settings) -> Iterator[Finding]:
    if settings.store_url is None:
        return
    url = StoreUrl.parse(settings.store_url.reveal())
    if all(is_loopback(each.host) for each in url.places):
        return
    if not url.is_encrypted:
        yield Finding(
            "warning",
            "store_url",
            "The store is on another host and is spoken to unencrypted: use rediss:// or"
            " valkeys:// (rediss+sentinel://, rediss+cluster://).",
        )
    if not url.has_password:
        yield Finding(
            "warning",
            "store_url",
            "The store asks for no password: whoever reaches it can undo limits, and read answers.",
        )


def _operation(settings: Settings) -> Iterator[Finding]:
    if settings.metrics and not is_loopback(settings.host):
        yield Finding(
            "warning",
            "metrics",
            "Whoever reaches the port can read /metrics: keep it from clients in the proxy.",
        )


def _webhooks(settings: Settings) -> Iterator[Finding]:
    if settings.webhook_private and settings.production:
        yield Finding("warning", "webhook_private", "Numbers can be pointed at private addresses.")
    if not settings.webhook_hosts:
        yield Finding(
            "warning", "webhook_hosts", "Numbers can be pointed at any public host: list yours."
        )


def _limits(settings: Settings) -> Iterator[Finding]:
    usual, slack = Limits(), 10
    for name, chosen, most in (
        ("cost_limit", settings.cost_limit, usual.cost * slack),
        ("depth_limit", settings.depth_limit, usual.depth * 2),
        ("token_limit", settings.token_limit, usual.tokens * slack),
        ("alias_limit", settings.alias_limit or 0, usual.aliases * slack),
        ("document_limit", settings.document_limit, usual.characters * slack),
        ("body_limit", settings.body_limit, 256 * 1024 * slack),
        ("directive_limit", settings.directive_limit, usual.directives * slack),
        ("root_field_limit", settings.root_field_limit, usual.root_fields * slack),
        ("header_limit", settings.header_limit, 100 * slack),
        ("header_bytes_limit", settings.header_bytes_limit, 32 * 1024 * slack),
        ("batch_limit", settings.batch_limit, slack),
    ):
        if chosen > most:
            yield Finding(
                "warning", name, f"{chosen} is so much that one request can keep a process busy."
            )


def _patience(settings: Settings) -> Iterator[Finding]:
    """Name what lets few clients hold much for long."""
    minutes = 120.0
    for name in (
        *("header_timeout", "body_timeout", "write_timeout", "send_timeout", "socket_init_wait"),
        *("request_deadline", "keep_alive_timeout"),
    ):
        chosen = getattr(settings, name)
        most = minutes * 5 if name == "keep_alive_timeout" else minutes
        if chosen > most:
            yield Finding(
                "warning", name, f"A client can hold a connection for {chosen:g} s for nothing."
            )
    for name, most in (("connection_limit", 10_000), ("socket_operations", 500)):
        chosen = getattr(settings, name)
        if chosen > most:
            yield Finding("warning", name, f"{chosen} at once may be more than the memory holds.")


def _files(settings: Settings) -> Iterator[Finding]:
    if shortage := open_files.shortage(settings):
        yield Finding("warning", "connection_limit", shortage)


# The upstream -------------------------------------------------------------------------------------

# What is tried, and what it shows. Each changes nothing.
_ACCOUNT = (
    "read the account",
    "{ account { status type subaccounts(first: 1000) { nodes { sid status } } } }",
)
_TRIALS = (
    ("read its numbers", "{ phoneNumbers(first: 1) { nodes { source } } }"),
    ("search numbers", "{ countries { code } }"),
)
_SUBACCOUNT = (
    "act on a subaccount",
    "query($sid: ID) { phoneNumbers(first: 1, accountSid: $sid) { nodes { source } } }",
)


class Ability(NamedTuple):
    """Whether the credentials can do something.

    Attributes:
        name: what was tried.
        able: whether it worked.
        detail: how, or why not.
        needed: whether the gateway cannot do without; other things an API key may lack.
    """

    name: str
    able: bool
    detail: str
    needed: bool = True


async def ways(settings: Settings) -> list[Ability]:
    """Connect to each upstream the way that the settings say, and ask nothing."""
    dialler = dialler_for(settings)
    connections = Connections(dialler, body_limit=0)
    origins = {origin.endpoint: origin for origin in map(Origin.of, settings.urls.values())}

    async def tried(origin: Origin) -> Ability:
        name = f"reach {origin.endpoint} {dialler.routes.way(origin)}"
        # A proxy was set for this machine; whether it is to reach the upstream directly is unknown.
        needed = dialler.routes.proxy(origin) is not None
        try:
            await connections.to(origin).open()
        except NotConnected as error:
            return Ability(name, able=False, detail=str(error), needed=needed)
        detail = "a connection, with TLS" if origin.secure else "a connection"
        return Ability(name, able=True, detail=detail, needed=needed)

    try:
        return await asyncio.gather(*map(tried, origins.values()))
    finally:
        await connections.aclose()


async def abilities(settings: Settings) -> list[Ability]:
    """Ask the upstream, with the operator's credentials, what they can do.

    Raises:
        ValueError: the settings have no credentials.
    """
    credential = own_credential(settings.pick(OwnAccount))
    if credential is None:
        raise ValueError("There are no credentials to ask the upstream with.")
    caller, is_key = Caller(credential, "check"), credential.is_key
    with held():
        parts = compose(replace(unlimited(settings), auth="pass-through"))
    async with parts.running():

        async def ask(query: str, **variables: object) -> dict[str, Any]:
            document = parts.documents.get(query)
            request = Request(document, document.choose(None), variables, {})
            response = await parts.pipeline.execute(request, caller, "check")
            answer = orjson.loads(encode(response))
            assert isinstance(answer, dict)  # noqa: S101 - a response is an object
            return answer

        (name, query), account = _ACCOUNT, await ask(_ACCOUNT[1])
        found = [_ability(name, account, needed=not is_key)]
        found += [_ability(name, await ask(query)) for name, query in _TRIALS]
        name, query = _SUBACCOUNT
        shown = (account.get("data") or {}).get("account")
        below = ((shown or {}).get("subaccounts") or {}).get("nodes", ())
        active = (each["sid"] for each in below if each["status"] == "ACTIVE")
        if (sid := next(active, None)) is not None:
            found.append(_ability(name, await ask(query, sid=sid), needed=not is_key))
        elif is_key and shown is None:
            unseen = "API keys reach none, and this one cannot see whether there are any"
            found.append(Ability(name, able=False, detail=unseen, needed=False))
        return [_with_cause(each, parts.client.unreachable) for each in found]


def _with_cause(ability: Ability, unreachable: Mapping[Api, str]) -> Ability:
    """Return an ability that says why, when the upstream could not be reached."""
    if not ability.detail.endswith(f"({UpstreamUnavailable.code})") or not unreachable:
        return ability
    causes = "; ".join(f"{family.name.lower()}: {why}" for family, why in unreachable.items())
    return ability._replace(detail=f"{ability.detail}: {causes}")


def _ability(name: str, answer: Mapping[str, Any], *, needed: bool = True) -> Ability:
    if answer.get("errors"):
        error = answer["errors"][0]
        said = f"{error['message']} ({error['extensions']['code']})"
        return Ability(name, able=False, detail=said, needed=needed)
    [value] = answer["data"].values()
    return Ability(name, able=value is not None, detail=_said(value), needed=needed)


def _said(value: object) -> str:
    match value:
        case {"status": status, "type": kind, "subaccounts": {"nodes": subaccounts}}:
            return f"{status}, {kind}, {counted(len(subaccounts), 'subaccount')}"
        case {"nodes": [{"source": source}]}:
            return f"by the {str(source).lower()} family"
        case {"nodes": []}:
            return "it owns none"
        case [*countries]:
            return f"in {len(countries)} countries"
    return "there is no such account"


async def memory(settings: Settings) -> tuple[Ability, list[Finding]]:
    """Look whether what must be remembered can be: in the shared store, or in `data_dir`.

    Into the store something is written that it forgets after some seconds.
    """
    if settings.store_url is None:
        problem = obstacle(settings.data_dir)
        if problem is None:
            return Ability("keep records", able=True, detail=f"in {settings.data_dir}"), []
        hint = f"{problem}: set data_dir to a folder that can be written, or store_url"
        return Ability("keep records", able=False, detail=hint), []
    name, conditions = "reach the shared store", list[Condition]()
    with held():  # It loads the library for it.
        store = make_store(settings.pick(StoreOptions))
    try:
        await store.ping()
        conditions = await store.conditions()
        await store.probe()
    except StoreUnavailable as error:
        ability = Ability(name, able=False, detail=str(error))
    else:
        said = "; ".join(map(_described, conditions))
        ability = Ability(name, able=True, detail=f"it answers and can be written: {said}")
    finally:
        await store.aclose()
    return ability, [
        Finding("danger" if each.danger else "warning", "store_url", each.message)
        for each in advice_on(conditions)
    ]


def _described(condition: Condition) -> str:
    log = f"keeps a log ({condition.fsync or 'when it is on disk is unknown'}) on disk"
    kept = {
        "log": log,
        "snapshots": "keeps snapshots on disk",
        "none": "keeps nothing on disk",
        None: "does not say what it keeps on disk",
    }
    return (
        f"{condition.server} {kept[condition.persistence]},"
        f" maxmemory-policy {condition.eviction or 'unknown'},"
        f" clock {condition.ahead:+.1f} s"
    )


# The command --------------------------------------------------------------------------------------


def report(settings: Settings, write: Callable[[str], object]) -> int:
    """Print what was found; return 1 when there is a danger, or something does not work."""
    remembers, advised = asyncio.run(memory(settings))
    found = sorted([*findings(settings), *advised], key=lambda each: each.severity)
    for severity, setting, message in found:
        write(f"{severity:<8} {setting}: {message}\n")
    if not found:
        write("ok       nothing is unsafe about the settings\n")
    tried = [remembers, *asyncio.run(ways(settings))]
    if own_credential(settings.pick(OwnAccount)) is not None:
        tried += asyncio.run(abilities(settings))
    for name, able, detail, needed in tried:
        write(f"{'ok' if able else 'failed' if needed else 'cannot':<8} {name}: {detail}\n")
    if own_credential(settings.pick(OwnAccount)) is None:
        write("note     no credentials are set, so the upstream was not asked\n")
    failed = any(each.severity == "danger" for each in found) or not all(
        each.able or not each.needed for each in tried
    )
    return int(failed)
