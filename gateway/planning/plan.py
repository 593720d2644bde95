"""PURE: the plan of an operation: which upstream calls it will make, how many, and why.

`least` and `most` bound the calls of a run without faults, as far as is known when it is planned:
retries and look-ups after lost answers come on top, and so do further pages of an upstream whose
pages are smaller than what was asked for. Reads that may be sent twice because they take long are
counted.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from graphql import GraphQLError
from msgspec import Struct, field

from gateway.auth.caller import Caller
from gateway.errors import GatewayError
from gateway.mapping.homes import NOWHERE, Home, fields_told, needed
from gateway.numbers import lookup_strategy
from gateway.numbers.accounts import AccountCounts
from gateway.numbers.exchanges import SHOWN_BY_EXCHANGES
from gateway.numbers.filling_in import is_near
from gateway.numbers.lookups import OwnedList, PhoneNumberLookup
from gateway.numbers.owned import OwnedNumbers
from gateway.upstream.families import CATALOG, CORE, MAX_PAGE_SIZE
from gateway.upstream.hedging import Hedging
from gateway.upstream.response_cache import Kind
from gateway.writes.user_errors import Refusal
from gateway.writes.webhook_hosts import Webhooks
from schema.selections import NOTHING, SelectedFields

_UNKNOWN: Final = (
    "both APIs are asked at once while it is unknown whether the account has the preview catalog"
)
_ONE_OF: Final = {"numbers": "number", "subaccounts": "subaccount", "countries": "country"}
# Of the fields that share a call, so many are named.
_MOST_NAMED = 3
PARTITION: Final = "partition"
"""The strategy of calls that complete searches which the upstream cuts off."""
ELSEWHERE: Final = "elsewhere"
"""The strategy of calls that look for numbers in the caller's other accounts."""
HEDGE: Final = "hedge"
"""The strategy of reads that are sent a second time because they take long."""
EXCHANGES: Final = "exchange"
"""The strategy of searches for what exchanges tell of owned numbers."""


class Times(NamedTuple):
    """How many there are, at least and at most."""

    least: int
    most: int

    def per(self, most: int) -> "Times":
        """Return how many there are below, with up to `most` for each; lists may be empty."""
        return Times(0, self.most * most)

    def plus(self, other: "Times") -> "Times":
        """Return how many there are of both together."""
        return Times(self.least + other.least, self.most + other.most)


class Lookups(NamedTuple):
    """Look-ups of an account's numbers that are planned together.

    Attributes:
        account: whose numbers.
        home: the only answer that is asked for; None where any will do.
        beside: another answer comes first, and may have made it unnecessary.
        certain: they are made in any case, and not only when others have found nothing.
    """

    account: str
    home: Home | None = None
    beside: bool = False
    certain: bool = True


Identity: TypeAlias = tuple[object, ...]
NONE = Times(0, 0)
ONE = Times(1, 1)


class Step(Struct):
    """One kind of call: made for `field`, `least` to `most` times; `naive` without any sharing.

    Attributes:
        spare: it only makes an answer better, and is left out where calls are short.
        allowed: how many calls a run may make all the same where what is known of an account
            lowers `most`: that may be out of date.
        bound: what `most` rests on, where that is assumed or remembered and not said.
        conditional: what is found out before it may make it unnecessary: the fewest calls of the
            operation do without it.
    """

    field: str
    call: str
    strategy: str
    least: int
    most: int
    naive: Times
    reason: str
    spare: bool = False
    conditional: bool = False
    allowed: int = 0
    bound: str = ""


class PlannedWrites(NamedTuple):
    """What writing something costs: reads before it, and the writes themselves.

    Attributes:
        looks: calls to look up what is written to, or where.
        sends: how many writes there are; each is sent once, or not at all.
        conditional: whether a look-up, or what is remembered, may show that none is to be sent.
    """

    looks: Times
    sends: int
    conditional: bool = False

    def plus(self, other: "PlannedWrites") -> "PlannedWrites":
        """Return what both cost together."""
        return PlannedWrites(
            self.looks.plus(other.looks),
            self.sends + other.sends,
            self.conditional or other.conditional,
        )


class PlannedRead(NamedTuple):
    """What a field reads.

    Attributes:
        call: what is asked, in words.
        strategy: how, in a word.
        kind: what is read: its answer may be kept.
        each: calls per read.
        most: bounds the calls when many objects share them.
        extra: calls beside these, for all objects together, while it is unknown whether an account
            has the catalog.
        reason: why so.
    """

    call: str
    strategy: str
    kind: Kind
    each: Times = ONE
    most: int | None = None
    extra: int = 0
    reason: str = "one call"


class Place(Struct):
    """Where a plan is in the answer.

    Attributes:
        path: of the field, by the names in the answer.
        times: how many objects are there.
        identity: what names them: equal reads below equal objects are one.
        accounts: how many accounts they belong to, at most.
        account: which one that is, if it is known.
        selected: what is selected below the field that is planned now.
        kinds: how many kinds of number they are, by country and type, at most, if that is known.
        bound: what their most rests on, where that is assumed or remembered and not said.
    """

    path: str
    times: Times
    identity: Identity
    accounts: int = 1
    account: str | None = None
    selected: SelectedFields = NOTHING
    kinds: int | None = None
    bound: str = ""


class Plan(Struct):
    """The calls that an operation will make.

    Attributes:
        errors: what a run would refuse before it asks for it.
        refusals: what it would refuse as user errors of a mutation, by the path of the field.
    """

    steps: list[Step] = field(default_factory=list)
    refusals: list[tuple[str, Refusal]] = field(default_factory=list)
    errors: list[GraphQLError] = field(default_factory=list)

    @property
    def least(self) -> int:
        """Fewest calls."""
        return sum(step.least for step in self.steps if not step.conditional)

    @property
    def most(self) -> int:
        """Most calls."""
        return sum(step.most for step in self.steps)

    @property
    def needed(self) -> int:
        """Most calls that the answer cannot do without."""
        return sum(step.most for step in self.steps if not step.spare)

    @property
    def writes(self) -> bool:
        """Whether something is sent that changes anything."""
        return any(step.strategy == "write" for step in self.steps)

    def spare(self, strategy: str) -> int:
        """Most calls of a strategy that only makes an answer better."""
        return sum(
            max(step.most, step.allowed)
            for step in self.steps
            if step.spare and step.strategy == strategy
        )

    def limit_spare(self, most: int) -> None:
        """Let what only makes an answer better have no more than `most` calls."""
        for step in self.steps:
            if step.spare:
                step.most, step.allowed = min(step.most, most), min(step.allowed, most)
                most -= step.most

    def report(self) -> dict[str, Any]:
        """Return the plan as clients get it in `extensions.plan`."""
        refusals = [
            {
                "field": path,
                "input": list(each.field),
                "message": each.message,
                "code": each.code.name,
            }
            for path, each in self.refusals
        ]
        return ({"refusals": refusals} if refusals else {}) | {
            "calls": {"min": self.least, "max": self.most},
            "naive": {
                "min": sum(step.naive.least for step in self.steps),
                "max": sum(step.naive.most for step in self.steps),
            },
            "steps": [
                {
                    "field": step.field,
                    "call": step.call,
                    "strategy": step.strategy,
                    "min": step.least,
                    "max": step.most,
                    "reason": step.reason,
                }
                | ({"bound": step.bound} if step.bound else {})
                for step in self.steps
            ],
        }


class PlanningFacts(NamedTuple):
    """What is known before an operation runs.

    Attributes:
        caller: who asks.
        numbers: the owned numbers, to find out which families can be asked.
        sizes: how many numbers accounts own.
        counts: how many accounts they own, and in how many countries they can buy.
        keeps: whether answers of a kind are kept, so that a call may be spared.
        partition: most calls to complete searches that the upstream cuts off.
        elsewhere: most calls to look for numbers in the caller's other accounts.
        exchanges: most searches for what exchanges tell of owned numbers.
        webhooks: which ones may be set.
        hedging: when a read is sent a second time.
    """

    caller: Caller
    numbers: OwnedNumbers
    sizes: lookup_strategy.Sizes
    counts: AccountCounts
    keeps: Callable[[Kind], bool]
    partition: int
    elsewhere: int
    exchanges: int
    webhooks: Webhooks
    hedging: Hedging = Hedging(0.0, 0.0)

    def is_cold(self, account: str | None) -> bool:
        """Whether a call more may be needed to find out which family serves the account."""
        return account is not None and self.numbers.must_find_family(account)


class Draft:
    """A plan while it is made: reads that will turn out to be equal are counted once.

    Attributes:
        known: what is known before the operation runs.
        plan: as far as it is made.
        written: an earlier mutation of the operation has an outcome, which must not be lost.
    """

    def __init__(self, known: PlanningFacts) -> None:
        self.known = known
        self.plan = Plan()
        self.written = False
        self._seen: set[Identity] = set()
        # Look-ups of numbers that are planned together, and the fields that ask for them.
        self._keys: defaultdict[Lookups, Counter[PhoneNumberLookup]] = defaultdict(Counter)
        self._key_paths: defaultdict[Lookups, list[str]] = defaultdict(list)
        self._told: defaultdict[Lookups, SelectedFields] = defaultdict(frozenset)
        self._elsewhere: list[str] = []
        # How many numbers there are, by what names them, whose exchanges are looked up.
        self._exchanges: dict[Identity, int] = {}
        self._exchange_paths: list[str] = []
        self._splittable: list[str] = []
        self._failed: list[tuple[int, GatewayError]] = []
        # Accounts that credentials must be proven to be of: whether for certain, and by what.
        self._proofs: dict[str, tuple[int, list[str]]] = {}

    def read(
        self, place: Place, path: str, identities: Iterable[Identity], asked: PlannedRead
    ) -> None:
        """Add the reads of the field at `path`, for each object at `place` and each identity.

        Reads of one identity are made once in the whole operation.
        """
        identities = set(identities)
        naive = _times(place.times, asked.each, len(identities))
        new = identities - self._seen
        self._seen |= new
        if not new:
            reason = "the same as an earlier read: shared"
            self.plan.steps.append(Step(path, asked.call, "coalesced", 0, 0, naive, reason))
            return
        times = _times(place.times, asked.each, len(new))
        most = times.most if asked.most is None else min(times.most, asked.most)
        least, reason = min(times.least, most), asked.reason
        if self.known.keeps(asked.kind):
            least = 0
            reason += "; none if the answer is kept"
        if asked.extra and most:
            most += asked.extra
            reason += f"; {_UNKNOWN}"
        step = Step(path, asked.call, asked.strategy, least, most, naive, reason)
        step.bound = place.bound if most > 1 else ""
        self.plan.steps.append(step)

    def look_up_number(
        self,
        path: str,
        key: PhoneNumberLookup,
        selected: SelectedFields = NOTHING,
        *,
        certain: bool = True,
    ) -> None:
        """Note a look-up of an owned number; all of one account are planned together."""
        account, needs = key.account, needed(selected)
        self.look_up_exchanges(path, (key.by, key.value), 1, account, selected)
        if needs is Home.CORE and self.known.numbers.may_ask_catalog(account):
            self._look_up(path, Lookups(account, Home.CORE, certain=certain), key, selected)
            return
        self._look_up(path, Lookups(account, certain=certain), key, selected)
        self.proof(path, account, least=int(certain))
        if self.known.numbers.may_ask_catalog(account):
            beside = Home.CORE | Home.LISTED if key.by == "sid" else Home.CORE
            self.look_up_beside(path, account, key, needs & beside, selected)

    def look_up_beside(
        self,
        path: str,
        account: str,
        key: PhoneNumberLookup,
        homes: Home,
        selected: SelectedFields,
    ) -> None:
        """Note look-ups of a number for what an answer that comes first does not tell."""
        for home in homes:
            self._look_up(path, Lookups(account, home, beside=True), key, selected)

    def _look_up(
        self, path: str, lookups: Lookups, key: PhoneNumberLookup, selected: SelectedFields
    ) -> None:
        self._keys[lookups][key] += 1
        self._key_paths[lookups].append(path)
        self._told[lookups] |= selected

    def fill(self, place: Place, path: str, identity: Identity, asked: OwnedList) -> None:
        """Add what the numbers of a list are filled in with, where one API does not tell all."""
        known, account, needs = self.known, asked.account, needed(place.selected)
        own = account or known.caller.credential.home or ""
        if not known.numbers.may_ask_catalog(own):
            return
        listing = next(iter(known.numbers.able(own, asked.wanted, needs)))
        from_catalog = needs & (Home.CATALOG | Home.LISTED) if listing is CORE else NOWHERE
        from_core = needs & Home.CORE if listing is CATALOG else NOWHERE
        if not (from_catalog or from_core):
            return
        choice = lookup_strategy.choose(asked.page.size, known.sizes.of(own), listed=True)
        most = choice.most + int(bool(from_catalog & Home.LISTED) and choice.strategy == "get")
        if is_near(asked.page, asked.page.size):
            most += lookup_strategy.NEAR_PAGES
        self.read(
            place,
            path,
            [(*identity, "fill")],
            PlannedRead(
                "GET one number, or a page of 1000 numbers",
                "fill",
                kind="owned",
                each=Times(0, most),
                most=None if account else most,
                extra=int(bool(from_catalog) and known.is_cold(own)),
                reason=f"{telling(place.selected, from_catalog or from_core)}: read for all"
                " numbers together",
            ),
        )

    def fill_to_filter(
        self,
        place: Place,
        path: str,
        identity: Identity,
        account: str,
        pages: int,
        filters: Sequence[str],
    ) -> None:
        """Add what tells of numbers on pages of the catalog's list what they are filtered by."""
        size = self.known.sizes.of(account)
        each = lookup_strategy.choose(MAX_PAGE_SIZE, size, listed=True).most
        self.read(
            place,
            path,
            [(*identity, "to filter")],
            PlannedRead(
                "GET one number, or a page of 1000 numbers",
                "fill",
                kind="owned",
                each=Times(0, pages * each),
                reason=f"the 2010-04-01 API tells {named(filters)}, by which the gateway itself"
                " filters: read for all numbers of a page together",
            ),
        )

    def look_up_exchanges(
        self,
        path: str,
        identity: Identity,
        most: int,
        account: str | None,
        selected: SelectedFields,
    ) -> None:
        """Note up to `most` owned numbers whose exchanges tell what is selected, if they do.

        They do where the catalog cannot be asked; `account` is None where that is not known.
        """
        if most == 0 or SHOWN_BY_EXCHANGES.isdisjoint(selected):
            return
        numbers = self.known.numbers
        if account and numbers.may_ask_catalog(account) and not numbers.must_find_family(account):
            return
        self._exchanges[identity] = most
        self._exchange_paths.append(path)

    def look_elsewhere(self, path: str) -> None:
        """Note numbers that are looked for in the caller's other accounts, as a last resort."""
        self._elsewhere.append(path)

    def split(self, path: str) -> None:
        """Note a search that is asked again in parts when the upstream cuts it off."""
        self._splittable.append(path)

    def fail(self, index: int, error: GatewayError) -> None:
        """Note that an item of the field's list would be refused, and the others not."""
        self._failed.append((index, error))

    def take_failed(self) -> list[tuple[int, GatewayError]]:
        """Return the items that were noted as failed, once."""
        failed, self._failed = self._failed, []
        return failed

    def refuse(self, path: str, refusal: Refusal) -> None:
        """Note a user error of the mutation at `path`, for which nothing is asked."""
        self.plan.refusals.append((path, refusal))

    def proof(self, path: str, account: str | None, *, least: int = 1) -> None:
        """Note that the catalog is asked about an account, certainly or (`least` 0) perhaps."""
        if account is not None and self.known.numbers.must_prove(account):
            certain, paths = self._proofs.get(account, (0, []))
            self._proofs[account] = max(certain, min(least, 1)), [*paths, path]

    def look_up(self, path: str, times: Times, reason: str) -> None:
        """Add the look-ups before a write."""
        if times.most:
            call = "GET the number"
            step = Step(path, call, "look-up", times.least, times.most, times, reason)
            self.plan.steps.append(step)

    def write(
        self, path: str, call: str, sends: int, reason: str, *, conditional: bool
    ) -> Identity:
        """Add `sends` writes; what is read below them is read anew."""
        naive = Times(0 if conditional else sends, sends)
        step = Step(path, call, "write", sends, sends, naive, reason, conditional=conditional)
        if sends:
            self.plan.steps.append(step)
        return (path, len(self.plan.steps))

    def finished(self) -> Plan:
        """Return the plan with what can be said only of the operation as a whole."""
        for lookups, keys in self._keys.items():
            self._batch(lookups, keys, named(self._key_paths[lookups]))
        for least, paths in self._proofs.values():
            call = "GET a page of one number"
            reason = "whether the API key is the account's own; remembered for some minutes"
            times = Times(least, 1)
            self.plan.steps.append(Step(named(paths), call, "proof", least, 1, times, reason))
        if self._splittable and self.known.partition:
            most = self.known.partition
            reason = f"only if the upstream cuts a search off: {most} in all, by the next digit"
            path, call = named(self._splittable), "GET a narrower search"
            times = Times(0, most)
            step = Step(path, call, PARTITION, 0, most, times, reason, spare=True)
            self.plan.steps.append(step)
        if self._elsewhere and self.known.elsewhere:
            self._plan_elsewhere()
        if self._exchanges and self.known.exchanges:
            total = sum(self._exchanges.values())
            most = min(total, self.known.exchanges)
            reason = (
                "rateCenter and lata are those of the exchange: one search for each that is not"
                f" known yet, {most} in all; none where the upstream itself tells them"
            )
            path, call = named(self._exchange_paths), "GET numbers for sale of the exchange"
            times = Times(0, total)
            self.plan.steps.append(Step(path, call, EXCHANGES, 0, most, times, reason, spare=True))
        self._hedge()
        return self.plan

    def _hedge(self) -> None:
        """Add the reads that may be sent twice: each once more, at most."""
        reads = [step for step in self.plan.steps if step.strategy != "write" and step.most]
        hedging = self.known.hedging
        if not (hedging.hedge_after and reads):
            return
        most = sum(step.most for step in reads)
        reason = (
            f"only reads that take longer than {hedging.hedge_after:g} s, on another connection;"
            f" the first good answer counts; at most {hedging.hedge_share:.3g} of all reads"
        )
        path = named([step.field for step in reads])
        step = Step(path, "GET the same once more", HEDGE, 0, most, NONE, reason, spare=True)
        self.plan.steps.append(step)

    def _plan_elsewhere(self) -> None:
        """Add the look at the caller's other accounts: the list of them, and then each of them."""
        allowed, keys = self.known.elsewhere, len(self._elsewhere)
        others = self.known.counts.subaccounts.exact(self.known.caller.credential.fingerprint)
        most, bound = allowed, f"up to {allowed - 1:,} subaccounts assumed"
        if others is not None:
            # One number is asked for; of several, pages are read first, and then those left.
            most = min(allowed, keys + others * (1 if keys == 1 else 2 * keys))
            bound = known_of(others, "subaccounts")
        reason = (
            f"only for numbers that are not where they are looked for first: {most} in all, to"
            " list the accounts and to look in each that is active"
        )
        path, call = named(self._elsewhere), "GET the number in another account"
        step = Step(path, call, ELSEWHERE, 0, most, Times(0, most), reason, spare=True)
        step.allowed, step.bound = allowed, bound
        self.plan.steps.append(step)

    def _batch(self, lookups: Lookups, keys: Counter[PhoneNumberLookup], paths: str) -> None:
        account, home, beside, certain = lookups
        choice = lookup_strategy.choose(len(keys), self.known.sizes.of(account))
        call = {"get": "GET one number", "list": "GET a page of 1000 numbers"}[choice.strategy]
        sids = sum(key.by == "sid" for key in keys)
        least, most, reason = choice.least, choice.most, choice.reason
        if choice.strategy == "get":
            # A number that is found by itself may be the one of a sid.
            least = max(sids, len(keys) - sids)
        if self.known.keeps("owned"):
            least = 0
            reason += "; none if the answer is kept"
        if home is not None:
            reason = f"{telling(self._told[lookups], home)}; {reason}"
            least = 0 if beside else least
        elif self.known.is_cold(account):
            # A page of the catalog beside, which may hold all before core is asked for more; and
            # the catalog for what is not on it.
            least = min(least, 1)
            most = most + 1 if choice.strategy == "list" else 2 * most + int(sids or most > 1)
            reason += f"; {_UNKNOWN}"
        if not certain:
            least = 0
            reason += "; none if all are where they are looked for before"
        naive = Times(keys.total() if certain else 0, keys.total())
        strategy = "fill" if beside else choice.strategy
        step = Step(paths, call, strategy, least, most, naive, reason)
        self.plan.steps.append(step)


def known_of(count: int, nouns: str) -> str:
    """Return what is known of an account, as what bounds a plan."""
    return f"this account has {count:,} {_ONE_OF[nouns] if count == 1 else nouns}"


def at_most(asked: int, known: int | None, nouns: str) -> tuple[int, str]:
    """Return how many there are at most of which so many are asked for, and what that rests on."""
    if known is None:
        return asked, f"up to {asked:,} {nouns} assumed" if asked > 1 else ""
    return min(asked, known), known_of(known, nouns) if known < asked else ""


def telling(selected: SelectedFields, home: Home) -> str:
    """Return why an answer is needed: which fields only it tells."""
    api = "2010-04-01 API" if home is Home.CORE else "preview catalog of numbers"
    return f"the {api} tells {named(fields_told(selected, home)) or 'all that can be told'}"


def named(paths: Sequence[str]) -> str:
    """Return the fields that share a call, the first few of them by name."""
    paths = list(dict.fromkeys(paths))
    more = len(paths) - _MOST_NAMED
    return ", ".join(paths[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _times(places: Times, each: Times, count: int) -> Times:
    return Times(places.least * each.least * count, places.most * each.most * count)
