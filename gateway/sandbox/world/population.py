"""Accounts and the numbers they own, the same ones for the same seed.

Owned local numbers lie in exchanges 200 to 299, of which the generated inventory takes few numbers;
a counter hands them out, so that accounts made later never collide.
"""

import hashlib
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass

import orjson

from gateway.sandbox.options import SandboxSettings
from gateway.sandbox.world import facts, profiles
from gateway.sandbox.world.curiosities import CURIOSITIES
from gateway.sandbox.world.inventory import (
    country_document,
    generate,
    owned_number,
    rate_center_document,
    shares,
)
from gateway.sandbox.world.number_documents import Account, default_configuration
from gateway.sandbox.world.number_store import OwnedRow, Store

# A fixed date keeps seeded answers repeatable: 2015-07-30 23:19:04 UTC, as in the documentation's
# samples.
_SEEDED_AT = 1438298344.0


@dataclass(frozen=True, slots=True)
class AccountRequest:
    """An account to make, with `owned` generated numbers."""

    role: str = "custom"
    catalog: bool = True
    type: str = "Full"
    status: str = "active"
    owner_account_sid: str | None = None
    friendly_name: str | None = None
    owned: int = 0


def populate(store: Store, settings: SandboxSettings) -> None:
    """Fills a new store: the inventory, then the seeded accounts."""
    store.load_inventory(generate(settings.seed, settings.numbers))
    population = Population(store, settings.seed, created=_SEEDED_AT)
    parent = population.create(AccountRequest("parent", owned=95, friendly_name="Parent"))
    population.add_curiosities(parent)
    for number in (1, 2):
        population.create(
            AccountRequest(
                "subaccount",
                owned=4 + number,
                owner_account_sid=parent.sid,
                friendly_name=f"Subaccount {number}",
            )
        )
    core_only = population.create(
        AccountRequest("core-only", catalog=False, owned=50, friendly_name="Without catalog access")
    )
    population.add_types(core_only)
    population.create(AccountRequest("trial", type="Trial", owned=1, friendly_name="On trial"))
    population.create(AccountRequest("test", friendly_name="Test credentials"))
    population.create(AccountRequest("large", owned=250, friendly_name="Two hundred and fifty"))
    population.create(
        AccountRequest("suspended", status="suspended", owned=2, friendly_name="Suspended")
    )
    population.create(
        AccountRequest(
            "core-only subaccount",
            catalog=False,
            owned=3,
            owner_account_sid=core_only.sid,
            friendly_name="Subaccount without catalog access",
        )
    )


class Population:
    """Makes accounts and owned numbers in a store."""

    def __init__(self, store: Store, seed: int, *, created: float | None = None) -> None:
        self._store = store
        self._seed = seed
        self._created = created

    def create(self, request: AccountRequest) -> Account:
        """Makes an account as described; its sid and tokens follow from the seed and its
        position.
        """
        with self._store.transaction():
            position = self._store.next_value("accounts")
            sid = "AC" + self._digest("account", position)
            account = Account(
                sid=sid,
                auth_token=self._digest("token", position),
                friendly_name=request.friendly_name or f"Account {position}",
                owner_account_sid=request.owner_account_sid or sid,
                status=request.status,
                type=request.type,
                role=request.role,
                catalog=request.catalog,
                key_sid="SK" + self._digest("key", position),
                key_secret=self._digest("secret", position),
                created=self._now(),
            )
            self._store.add_account(account)
            if request.owned:
                self._store.add_owned(self._local_numbers(account.sid, request.owned))
        return account

    def add_types(self, account: Account) -> None:
        """Gives an account one number of every type, of countries that have it."""
        self._store.add_owned(list(self._typed_numbers(account)))

    def add_curiosities(self, account: Account) -> None:
        """Gives an account numbers of every type and every state that has surprised a client."""
        self.add_types(account)
        rows = list(self._local_numbers(account.sid, len(CURIOSITIES)))
        curious = []
        for row, (changes, configure) in zip(rows, CURIOSITIES, strict=True):
            place = self._store.places[row[4]].document
            profile = changes(dict(self._store.profiles[row[5]].document))
            number = self._store.describe(row[2], {**place, **profile})
            configuration = configure(default_configuration(row[2]))
            text = None if configuration is ... else orjson.dumps(configuration).decode()
            curious.append(
                (*row[:4], number.place.id, number.profile.id, text, *row[7:]),
            )
        self._store.add_owned(curious)

    def _now(self) -> float:
        return time.time() if self._created is None else self._created

    def _digest(self, *parts: object) -> str:
        text = ":".join(map(str, (self._seed, *parts)))
        return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

    def number_sid(self, phone_number: str) -> str:
        """Sid of a number when it gets an owner; a new one each time."""
        turn = self._store.next_value("number_sids")
        return "PN" + self._digest("number", phone_number, turn)

    def fresh_number(self) -> str:
        """A plausible US or Canadian number that nobody has and that cannot be bought."""
        row = next(iter(self._local_numbers("", 1)))
        return row[2]

    def _local_numbers(self, account_sid: str, count: int) -> Iterator[OwnedRow]:
        centers = shares()
        first = self._store.next_value("owned_numbers", count)
        rng = random.Random(f"{self._seed}:{first}")  # noqa: S311 - repeatable on purpose
        places = [self._store.place(rate_center_document(center)).id for center, _ in centers]
        kinds = {
            country: profiles.variants(country, "local", beta=False)
            for country in facts.GEO_SEARCH_COUNTRIES
        }
        ids = {
            country: [self._store.profile(document).id for _, document in found]
            for country, found in kinds.items()
        }
        now, template = self._now(), _configuration_template()
        weights = [weight for weight, _ in kinds["US"]]
        choices = rng.choices(range(len(weights)), weights, k=count)
        for position, choice in zip(range(first, first + count), choices, strict=True):
            turn, index = divmod(position, len(centers))
            center, share = centers[index]
            national = owned_number(turn, center.area_code, share)
            yield (
                "PN" + self._digest("owned", position),
                account_sid,
                "+1" + national,
                national,
                places[index],
                ids[center.iso_country][choice],
                template.replace(
                    "(000) 000-0000", f"({national[:3]}) {national[3:6]}-{national[6:]}"
                ),
                "twilio",
                now,
                now,
            )

    def _typed_numbers(self, account: Account) -> Iterator[OwnedRow]:
        """One number per type: toll-free of the US and GB, the rest of the countries that list
        them first.
        """
        wanted = [
            row
            for row in facts.number_ranges()
            if row.iso_country in {"GB", "FR", "NL", "JP", "BH"}
        ]
        for row in wanted:
            phone_number = self._fresh(row.example)
            yield self._typed_row(account, phone_number, row.iso_country, row.type)
        for prefix in facts.NANP_TOLL_FREE_PREFIXES[:3]:
            turn = self._store.next_value("toll_free")
            yield self._typed_row(
                account, f"+1{prefix}2{turn // 10_000:02d}{turn % 10_000:04d}", "US", "tollfree"
            )

    def _fresh(self, example: str) -> str:
        """A number like the example that nobody has and that cannot be bought: the next free
        one from it on.
        """
        number = int(example[1:])
        while self._store.available(f"+{number}") or self._store.owned_by_number(f"+{number}"):
            number += 1
        return f"+{number}"

    def _typed_row(
        self, account: Account, phone_number: str, iso_country: str, kind: str
    ) -> OwnedRow:
        beta = facts.countries()[iso_country].beta
        _, document = profiles.variants(iso_country, kind, beta=beta)[0]
        number = self._store.describe(phone_number, {**country_document(iso_country), **document})
        text = orjson.dumps(default_configuration(phone_number)).decode()
        sid = "PN" + self._digest("owned", phone_number, account.sid)
        now = self._now()
        return (
            sid,
            account.sid,
            phone_number,
            number.national,
            number.place.id,
            number.profile.id,
            text,
            "twilio",
            now,
            now,
        )


def _configuration_template() -> str:
    return orjson.dumps(default_configuration("+10000000000")).decode()
