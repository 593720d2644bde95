"""Settings: one immutable object; `loading.load` makes it of what the operator has set."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from msgspec import Struct

from gateway.settings.checks import (
    header_names,
    http_url,
    networks,
    origins,
    proxy_url,
    spaced,
    store_url,
)
from gateway.settings.fields import setting
from gateway.settings.secret import Secret

USUAL_FILE: Final = Path("number-gateway.toml")
CATALOG_URL = "https://preview.twilio.com"
CORE_URL = "https://api.twilio.com"
PRICING_URL = "https://pricing.twilio.com"
REGULATIONS_URL = "https://numbers.twilio.com"
# Seconds for what was begun to be finished, at least.
_LEAST_DRAINING: Final = 2.0
# What protects the gateway from its clients, switched off, and what is for those to come.
_NO_LIMITS: Final[dict[str, Any]] = {
    "trusted_documents": None,
    "trusted_documents_only": False,
    "requests_per_minute": 0,
    "most_calls": None,
    "upstream_ready": 0,
    **dict.fromkeys(("body_limit", "document_limit", "token_limit", "depth_limit"), 2**31),
    **dict.fromkeys(("alias_limit", "directive_limit", "root_field_limit", "cost_limit"), 2**31),
}
# What clients and what watches them in browsers add to requests.
CORS_HEADERS: Final = (
    # Apollo Client, iOS and Kotlin; then what other servers want of clients.
    *("apollographql-client-name", "apollographql-client-version"),
    *("x-apollo-operation-id", "x-apollo-operation-type"),
    *("graphql-client-name", "graphql-client-version", "graphql-preflight"),
    # W3C Trace Context and Baggage, Sentry, Zipkin, Jaeger, Datadog, New Relic, Elastic, AWS.
    *("traceparent", "tracestate", "baggage", "sentry-trace"),
    *("b3", "x-b3-traceid", "x-b3-spanid", "x-b3-parentspanid", "x-b3-sampled", "x-b3-flags"),
    *("uber-trace-id", "newrelic", "elastic-apm-traceparent", "x-amzn-trace-id"),
    *("x-datadog-trace-id", "x-datadog-parent-id", "x-datadog-origin"),
    *("x-datadog-sampling-priority", "x-datadog-tags"),
    # Everybody's.
    *("x-requested-with", "x-correlation-id", "cache-control", "pragma"),
)
Picked = TypeVar("Picked", bound=Struct)


# What dataclasses would compile for so many fields is longer than all that is done with them.
@dataclass(frozen=True, init=False, eq=False, repr=False)
class Settings:
    """Everything an operator can set. Times are in seconds, sizes in bytes."""

    config: Path | None = setting(
        None,
        description=f"TOML file with settings; without it `{USUAL_FILE}` in the working directory"
        " is read, if there is one.",
    )
    catalog_url: str = setting(
        CATALOG_URL, check=http_url, description="Base URL of the catalog family."
    )
    core_url: str = setting(
        CORE_URL, check=http_url, description="Base URL of the core family (2010-04-01)."
    )
    pricing_url: str | None = setting(
        None,
        check=http_url,
        description="Base URL of the Pricing API; by default `https://pricing.twilio.com`, or"
        " `core_url` where that is not Twilio's own.",
    )
    regulations_url: str | None = setting(
        None,
        check=http_url,
        description="Base URL of the Regulations API; by default `https://numbers.twilio.com`, or"
        " `core_url` where that is not Twilio's own.",
    )
    proxy: Secret | None = setting(
        None,
        check=proxy_url,
        description="HTTP proxy through which the upstream is reached, before `https_proxy` and"
        " `http_proxy`: `http://user:password@host:port`, `https://…` if it is spoken to over TLS"
        " itself, or `direct` for none.",
    )
    https_proxy: Secret | None = setting(
        None,
        check=proxy_url,
        description="The same for upstreams whose URLs begin with `https://`.",
        variables=("GATEWAY_HTTPS_PROXY", "HTTPS_PROXY"),
    )
    http_proxy: Secret | None = setting(
        None,
        check=proxy_url,
        description="The same for those whose URLs begin with `http://`; `serve --sandbox` reaches"
        " its own sandbox without it.",
        variables=("GATEWAY_HTTP_PROXY", "HTTP_PROXY"),
    )
    no_proxy: tuple[str, ...] = setting(
        (),
        split=spaced,
        description="What is reached without a proxy: hosts with all below them, addresses and"
        " networks, maybe with a port (`api.example.com, .internal, 10.0.0.0/8, localhost:8010`);"
        " `*` for all.",
        variables=("GATEWAY_NO_PROXY", "NO_PROXY"),
    )
    upstream_ca: Path | None = setting(
        None,
        description="PEM file of the authorities that are believed over TLS, in place of those that"
        " `SSL_CERT_FILE` or `SSL_CERT_DIR` names, or of the usual ones: for a proxy that opens"
        " TLS, add its own to them.",
    )
    upstream_certificate: Path | None = setting(
        None, description="PEM file of a client certificate that is shown to who asks for one."
    )
    upstream_key: Path | None = setting(
        None,
        description="PEM file of its key, not encrypted; without it the key is in the same file.",
    )
    account_sid: str | None = setting(
        None,
        description="Account the gateway acts for when the client brings no credentials.",
        variables=("GATEWAY_ACCOUNT_SID", "TWILIO_ACCOUNT_SID"),
    )
    auth_token: Secret | None = setting(
        None,
        description="Auth token of that account.",
        variables=("GATEWAY_AUTH_TOKEN", "TWILIO_AUTH_TOKEN"),
    )
    api_key_sid: str | None = setting(
        None,
        description="API key (SK…) to use in place of the account's own name. It must be one of"
        " `account_sid` itself, and reaches no subaccounts.",
        variables=("GATEWAY_API_KEY_SID", "TWILIO_API_KEY"),
    )
    api_key_secret: Secret | None = setting(
        None,
        description="Secret of that API key; without it `auth_token` is taken for it.",
        variables=("GATEWAY_API_KEY_SECRET", "TWILIO_API_SECRET"),
    )
    sandbox_url: str | None = setting(
        None,
        check=http_url,
        description="Base URL of the sandbox that `serve --sandbox` has started, which is shown at"
        " the start. It chooses no upstream: `core_url` and its siblings do.",
    )
    auth: Literal["pass-through", "tokens", "open"] | None = setting(
        None,
        description="`pass-through`: clients bring the upstream's own credentials as HTTP Basic. "
        "`tokens`: clients bring JSON Web Tokens and act through `account_sid`. "
        "`open`: clients without credentials act as `account_sid`.",
    )
    token_algorithm: Literal["HS256", "RS256", "ES256"] = setting(
        "RS256", description="The one algorithm that tokens may be signed with."
    )
    token_secret: Secret | None = setting(
        None, description="Secret that HS256 tokens are signed with, 32 bytes or more."
    )
    token_keys: str | None = setting(
        None, description="JWKS file or URL with the keys of RS256 and ES256 tokens."
    )
    token_issuer: str | None = setting(None, description="What the claim `iss` of tokens must be.")
    token_audience: str | None = setting(None, description="What their claim `aud` must hold.")
    token_accounts_claim: str = setting(
        "accounts", description="Claim with the sids of the accounts that a bearer may use."
    )
    token_scopes_claim: str = setting("scope", description="Claim with the bearer's scopes.")
    token_leeway: float = setting(
        30.0, ge=0, le=300, description="How far issuers' clocks may be off."
    )
    host: str = setting("127.0.0.1", description="Address to listen on.")
    port: int = setting(8000, ge=0, le=65535, description="Port to listen on; 0 picks a free one.")
    workers: int = setting(1, ge=1, le=256, description="Processes that serve the port together.")
    trusted_proxies: tuple[str, ...] = setting(
        (),
        check=networks,
        description="Addresses and networks of proxies whose `X-Forwarded-For` or `Forwarded` says"
        " which address a client has, for example `10.0.0.0/8`; without them it is that of the"
        " connection.",
    )
    forwarded_header: Literal["x-forwarded-for", "forwarded"] | None = setting(
        None,
        description="The header that trusted proxies write, where they pass on the other one as"
        " clients send it; by itself `x-forwarded-for` if a request has it, else `forwarded`.",
    )
    production: bool = setting(
        False,
        description="Explorer, introspection, suggestions and explanations are off.",
    )

    request_deadline: float = setting(15.0, gt=0, description="Time for one operation, all told.")
    call_deadline: float = setting(
        10.0, gt=0, description="Time for one upstream call with retries."
    )
    attempt_timeout: float = setting(5.0, gt=0, description="Time for one attempt of a call.")
    connect_timeout: float = setting(2.0, gt=0, description="Time to connect to the upstream.")
    upstream_keep: float = setting(
        240.0,
        gt=0,
        description="How long a connection to the upstream is kept that nobody uses.",
    )
    upstream_ready: int = setting(
        4,
        ge=0,
        le=50,
        description="Connections to each upstream that are opened at the start, and kept for"
        " requests to come; 0: they are opened when they are needed.",
    )
    attempts: int = setting(3, ge=1, le=10, description="Attempts per upstream read.")
    backoff_base: float = setting(0.1, gt=0, description="First wait between attempts, at most.")
    backoff_cap: float = setting(3.0, gt=0, description="Longest wait between attempts.")
    retry_budget: float = setting(0.2, ge=0, le=1, description="Retries as a share of all calls.")
    hedge_after: float = setting(
        0.0,
        ge=0,
        description="Time after which a read that has no answer yet is sent once more, on another"
        " connection; the first good answer counts. Writes never are. 0 sends nothing twice.",
    )
    hedge_share: float = setting(
        0.03,
        ge=0,
        le=1,
        description="Reads that are sent once more as a share of all reads of an account.",
    )
    breaker_failures: int = setting(
        5,
        ge=1,
        description="Failures in a row that open the breaker of an API and account; searches for"
        " numbers have one of their own.",
    )
    breaker_pause: float = setting(3.0, gt=0, description="First pause of an open breaker.")
    breaker_longest_pause: float = setting(30.0, gt=0, description="Longest pause of one.")
    concurrency: int = setting(
        50,
        ge=1,
        description="Upstream calls at once per account, at first; searches, prices and regulations"
        " take four fifths of them at most.",
    )
    concurrency_most: int = setting(90, ge=1, description="Upstream calls at once, at most.")
    concurrency_limit: int = setting(
        100, ge=1, description="What the upstream's own limit per account is believed to be."
    )
    strangers_concurrency: int = setting(
        20,
        ge=1,
        description="Upstream calls at once with credentials that the upstream has not lately"
        " accepted for the account they name, in one process; half of them for one client address.",
    )
    upstream_body_limit: int = setting(
        16 * 2**20, ge=1024, description="Largest upstream answer that is read."
    )
    family_memory: float = setting(
        3600.0, gt=0, description="How long it is remembered that an account lacks the catalog."
    )

    idempotency_memory: float = setting(
        86_400.0, gt=0, description="How long the result of an idempotency key is remembered."
    )
    drain_limit: float = setting(
        30.0,
        ge=_LEAST_DRAINING,
        description="Time between the signal to stop and the exit, at most.",
    )
    drain_delay: float = setting(
        0.0,
        ge=0,
        description="Part of `drain_limit` in which `/readyz` says 503, and all else is still"
        " served, so that balancers find out; then the port is closed.",
    )

    fast: bool = setting(
        True,
        description="Queries are compiled, and plain fields answered by projections; off,"
        " graphql-core executes everything.",
    )
    cache_owned: float = setting(
        0.0, ge=0, description="How long answers about owned numbers are kept; 0 keeps none."
    )
    cache_search: float = setting(
        0.0,
        ge=0,
        description="How long answers to searches are kept; 0 keeps none. Where they are, a search"
        " that is read in small pages asks for more at once, and most pages cost no call.",
    )
    cache_countries: float = setting(
        3600.0, ge=0, description="How long answers about countries are kept; 0 keeps none."
    )
    cache_stale: float = setting(
        60.0,
        ge=0,
        description="How much longer a kept answer is given while it is fetched anew.",
    )
    explain: bool | None = setting(
        None,
        description="Whether clients may ask for plans and traces; unset: not in production.",
    )
    most_calls: int | None = setting(
        None,
        ge=1,
        description="Most upstream calls of one operation, also in a list: more are not planned,"
        " and not made. One that is tried again counts once.",
    )
    partition_calls: int = setting(
        40, ge=0, description="Most extra calls of a request to complete searches that are cut off."
    )
    subaccount_calls: int = setting(
        40,
        ge=0,
        description="Most extra calls of a request to look in the caller's other accounts for"
        " numbers that are asked for by `id` and were moved; with 0 it does not look there.",
    )

    exchange_calls: int = setting(
        20,
        ge=0,
        description="Most extra calls of a request to find rate center and LATA of owned numbers of"
        " which the upstream tells neither: one search for each exchange, which is not asked for"
        " again for `exchange_memory`. Numbers of further exchanges show null, and a page that is"
        " filtered by them ends there, with the cursor to go on from; with 0 nothing is found out.",
    )
    exchange_memory: float = setting(
        30 * 86_400.0,
        ge=0,
        description="How long it is kept, for all callers, what numbers for sale tell of an"
        " exchange (that is public knowledge); at most a day where they tell nothing; 0: not kept.",
    )

    body_limit: int = setting(256 * 1024, ge=1024, description="Largest request body.")
    get_requests: bool = setting(
        True,
        description="Queries may come by GET.",
    )
    requests_per_minute: int | None = setting(
        None,
        ge=0,
        description="Most requests of one caller and account in a minute; 0 for any number; when"
        " not set: any number, in production 6000.",
    )
    purchases_per_day: int | None = setting(
        None,
        ge=0,
        description="Most numbers that one caller buys for one account in a day; 0 for any number;"
        " when not set: any number, in production 100.",
    )

    csrf_prevention: bool = setting(
        True,
        description="GETs that any web page could make a browser send are refused.",
    )
    cors_origins: tuple[str, ...] = setting(
        (),
        check=origins,
        description="Origins whose pages may use the gateway, for example https://app.example;"
        " with `serve --sandbox` those of this machine may besides.",
    )
    cors_headers: tuple[str, ...] = setting(
        CORS_HEADERS,
        check=header_names,
        description="Headers that these pages may send, besides those that the gateway reads"
        " itself (`Authorization`, `X-Account-Sid`, `Last-Event-ID` and so on); `*` for any.",
    )
    webhook_hosts: tuple[str, ...] = setting(
        (),
        description="Hosts that webhook URLs may name, `*.example.com` for all below one; any host"
        " when empty.",
    )
    webhook_private: bool | None = setting(
        None,
        description="Webhook URLs may name private and link-local addresses; when not set: unless"
        " in production.",
    )

    connection_limit: int = setting(1000, ge=1, description="Most connections to one process.")
    unverified_connections: int | None = setting(
        None,
        ge=1,
        description="Most WebSockets to one process whose clients have not yet shown who they are,"
        " half of them of one client address; when not set: a quarter of `connection_limit`.",
    )
    caller_connections: int | None = setting(
        None,
        ge=1,
        description="Most WebSockets and streams of subscriptions of one caller to one process;"
        " when not set: a quarter of `connection_limit`.",
    )
    header_limit: int = setting(100, ge=10, description="Most headers in a request.")
    header_bytes_limit: int = setting(
        32 * 1024, ge=1024, description="Largest request head: URL and headers."
    )
    header_timeout: float = setting(10.0, gt=0, description="Time for a request's head to arrive.")
    body_timeout: float = setting(15.0, gt=0, description="Time for a request's body to arrive.")
    write_timeout: float = setting(
        15.0, gt=0, description="Time for which a client may not read its answer."
    )
    unsent_per_connection: int = setting(
        4 * 2**20,
        ge=1024,
        description="Bytes of answers that may wait for a connection's client to read them; until"
        " there is room, further operations wait.",
    )
    unsent_per_caller: int = setting(
        32 * 2**20,
        ge=1024,
        description="The same for all connections of a caller.",
    )
    unsent_per_process: int = setting(
        128 * 2**20,
        ge=1024,
        description="The same for all clients of a process; beyond it, whoever leaves most unread"
        " is cut off.",
    )
    keep_alive_timeout: int = setting(
        75, gt=0, description="Time for which an idle connection is kept."
    )

    document_limit: int = setting(64 * 1024, ge=256, description="Longest document, in characters.")
    token_limit: int = setting(1000, ge=10, description="Most tokens in a document.")
    depth_limit: int = setting(10, ge=1, description="Most levels of fields in an operation.")
    alias_limit: int | None = setting(
        None,
        ge=0,
        description="Most aliases, fragments written out; when not set: 30, in production 15.",
    )
    directive_limit: int = setting(8, ge=0, description="Most directives, fragments written out.")
    root_field_limit: int = setting(30, ge=1, description="Most fields at an operation's root.")
    cost_limit: int = setting(
        2000,
        ge=1,
        description="Most objects that an operation, or those of one list together, may yield, by"
        " their list sizes.",
    )
    introspection: bool | None = setting(
        None, description="Clients may read the schema; when not set: unless in production."
    )
    batch_limit: int = setting(
        0, ge=0, le=100, description="Most operations in one request's list; 0 takes no lists."
    )
    compress_from: int = setting(
        1024, ge=0, description="Answers of this size or more are compressed; 0 compresses none."
    )

    persisted_queries: bool = setting(
        True,
        description="Clients may register documents by hash (automatic persisted queries).",
    )
    persisted_queries_ttl: float = setting(
        7 * 86_400.0, gt=0, description="How long a registered document is kept."
    )
    persisted_query_limit: int = setting(
        64 * 1024, ge=1024, description="Largest document that clients may register."
    )
    trusted_documents: Path | None = setting(
        None,
        description="Manifest of documents by id, as Apollo's or Relay's compiler writes it;"
        " read again when it changes.",
    )
    trusted_documents_only: bool = setting(
        False,
        description="Only documents of the manifest run.",
    )

    poll_interval: float = setting(
        30.0,
        ge=0,
        description="Time between looks at a subscribed account for changes made elsewhere;"
        " 0 never looks.",
    )
    event_memory: float = setting(
        600.0, gt=0, description="How long a subscriber may be away without losing events."
    )
    subscriber_queue: int = setting(
        256, ge=1, description="Events that may wait for one subscriber before it is cut off."
    )
    send_timeout: float = setting(
        10.0, gt=0, description="Time for a client to take a piece of a stream before it is cut."
    )
    keep_alive: float = setting(
        12.0,
        gt=0,
        description="Silence on a stream or WebSocket after which a sign of life is sent.",
    )
    socket_init_wait: float = setting(
        5.0, gt=0, description="Time for a WebSocket's client to introduce itself."
    )
    socket_operations: int = setting(
        50, ge=1, description="Operations that may run on one WebSocket at once."
    )
    frame_limit: int = setting(
        256 * 1024, ge=1024, le=2**20, description="Largest WebSocket message from a client."
    )
    legacy_websocket: bool = setting(
        False,
        description="The old WebSocket subprotocol `graphql-ws` is spoken, too.",
    )

    data_dir: Path = setting(Path(".number-gateway"), description="Where records are kept.")

    store_url: Secret | None = setting(
        None,
        check=store_url,
        description="Redis or Valkey that several processes share: `redis://` (or `rediss://`,"
        " `valkey://`, `valkeys://`, `unix://`), `redis+sentinel://host:port,host:port/service` or"
        " `redis+cluster://host:port,host:port`; without one, state is kept in the process.",
    )
    store_prefix: str = setting("number-gateway:", description="Of every key and channel in it.")
    store_timeout: float = setting(0.5, gt=0, description="Time for one command to it.")

    log_level: Literal["debug", "info", "warning", "error"] = setting(
        "info", description="Lowest level of events that are logged, to standard error."
    )
    log_format: Literal["terminal", "json"] | None = setting(
        None, description="How; by itself readable on a terminal, else a JSON object a line."
    )
    log_requests: Literal["all", "failed", "none"] = setting(
        "failed", description="Which requests get a line in the log."
    )
    metrics: bool = setting(
        False,
        description="Serve metrics for Prometheus at `/metrics`, on the same port. Several workers"
        " count in files: in a folder of `TMPDIR`, `/tmp`, `/dev/shm` or `data_dir`, the first that"
        " can be written.",
    )
    metrics_operations: int = setting(
        200, ge=1, description="How many operation names are counted by name; the rest as one."
    )
    traces: bool = setting(
        False,
        description="Send traces to an OpenTelemetry collector, which the `OTEL_…` variables name.",
    )
    traces_ratio: float = setting(
        0.01,
        ge=0,
        le=1,
        description="Share of traces to keep of those that begin here; callers decide on theirs.",
    )
    ready_when_degraded: bool = setting(
        False,
        description="Whether `/readyz` says yes while the shared store, the records in `data_dir`"
        " or the upstream is away.",
    )

    @property
    def urls(self) -> Mapping[str, str]:
        """Where each API is, by the name of its setting."""
        twilios = self.core_url == CORE_URL
        return {
            "catalog_url": self.catalog_url,
            "core_url": self.core_url,
            "pricing_url": self.pricing_url or (PRICING_URL if twilios else self.core_url),
            "regulations_url": self.regulations_url
            or (REGULATIONS_URL if twilios else self.core_url),
        }

    def pick(self, kind: type[Picked]) -> Picked:
        """Return what a part of the gateway takes of them.

        `kind` is a struct of that part's: each of its fields has the name of a setting.
        """
        return kind(**{name: getattr(self, name) for name in kind.__struct_fields__})

    def __init__(self, **chosen: Any) -> None:  # noqa: ANN401 - by the names of the fields
        """Take what is chosen, the rest as it is by default.

        Raises:
            ValueError: it does not go together; the message says which.
        """
        vars(self).update({each.name: each.default for each in dataclasses.fields(self)} | chosen)
        if self.drain_delay > self.drain_limit - _LEAST_DRAINING:
            raise ValueError(
                "drain_delay: it is part of drain_limit, and must be"
                f" {_LEAST_DRAINING:g} s less than that"
            )


def unlimited(settings: Settings) -> Settings:
    """Return the settings for somebody who is no client: an operator at the command line."""
    return dataclasses.replace(settings, **_NO_LIMITS)
