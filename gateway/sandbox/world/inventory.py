"""Generates the numbers that can be bought, the same ones for the same seed.

US and Canadian numbers lie in real rate centers, spread over plausible exchanges: the second group
of three digits starts with 3 to 9 and does not end in 11. An exchange belongs to one rate center.
Exchanges 200 to 299 are for the numbers accounts already own (`population.py`); in some of them a
few can be bought. Some numbers are placed deliberately, so that the searches in Twilio's
documentation find something.
"""

import random
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from gateway.sandbox.world import facts, profiles
from gateway.sandbox.world.number_documents import Json, canonical

FICTIONAL_EXCHANGE = 555
_LINES = 10_000
_EXCHANGES = tuple(
    exchange
    for exchange in range(300, 1000)
    if exchange % 100 != 11 and exchange != FICTIONAL_EXCHANGE  # noqa: PLR2004 - N11 are services
)
_SHARE = {("US", "local"): 0.62, ("CA", "local"): 0.08, ("PR", "local"): 0.01}
_TOLL_FREE_SHARE = {"US": 0.07, "CA": 0.02}
_ELSEWHERE_SHARE = 0.21
_LARGE_RATE_CENTERS = frozenset(
    {
        "LSAN DA 01",
        "NEW YORK",
        "CHICAGO",
        "SNFC CNTRL",
        "OKLD MN-PD",
        "HUNTINGTON",
        "LITTLEROCK",
        "TORONTO",
    },
)
_LARGE_WEIGHT = 4
_FEWEST = 24
_MOST_SHARING = 4
"""So many rate centers share an area code, at most."""
_OWNED_EXCHANGES = tuple(
    exchange
    for exchange in range(200, 297)
    if exchange != 211  # noqa: PLR2004 - a service
)
# Owned lines are so far apart, and go round all others before they come again.
_STEP = 7919
# Accounts' numbers lie in so many exchanges of a rate center before others are sold out, too.
_SHARED_EXCHANGES = 4


@dataclass(slots=True)
class Pool:
    """Numbers of one country and type, in search order.

    `numbers` has (E.164, national number, place id), `profiles` the profile id of each.
    """

    iso_country: str
    type: str
    numbers: list[tuple[str, str, int]] = field(default_factory=list)
    profiles: list[int] = field(default_factory=list)

    def add(self, calling_code: str, nationals: Iterable[str], place: int) -> None:
        """Adds numbers that lie in one place."""
        prefix = f"+{calling_code}"
        self.numbers += [(prefix + national, national, place) for national in nationals]


@dataclass(slots=True)
class Inventory:
    """Everything generated; documents by id, as canonical JSON text."""

    places: dict[str, int] = field(default_factory=dict)
    profiles: dict[str, int] = field(default_factory=dict)
    pools: list[Pool] = field(default_factory=list)

    def place(self, document: Json) -> int:
        """Id of a place, new if the document is."""
        return self.places.setdefault(canonical(document), len(self.places) + 1)

    def profile(self, document: Json) -> int:
        """Id of a profile, new if the document is."""
        return self.profiles.setdefault(canonical(document), len(self.profiles) + 1)

    def finish(self, rng: random.Random) -> None:
        """Puts every pool into its search order and gives each number a profile."""
        for pool in self.pools:
            beta = facts.countries()[pool.iso_country].beta
            kinds = profiles.variants(pool.iso_country, pool.type, beta=beta)
            ids = [self.profile(document) for _, document in kinds]
            weights = [weight for weight, _ in kinds]
            rng.shuffle(pool.numbers)
            pool.profiles = rng.choices(ids, weights, k=len(pool.numbers))


def rate_center_document(center: facts.RateCenter) -> Json:
    """Place document of a rate center."""
    return {
        "area_code": center.area_code,
        "core_locality": center.locality,
        "geography": {
            "iso_country": center.iso_country,
            "lata": center.lata,
            "rate_center": center.name,
            "latitude": center.latitude,
            "longitude": center.longitude,
            "region": center.region,
            "locality": center.locality.upper(),
            "postal_code": center.postal_code,
        },
    }


def country_document(iso_country: str) -> Json:
    """Place document of numbers that are known by country only."""
    return {
        "geography": {
            "iso_country": iso_country,
            "lata": None,
            "rate_center": None,
            "latitude": None,
            "longitude": None,
            "region": None,
            "locality": None,
            "postal_code": None,
        },
    }


def generate(seed: int, count: int) -> Inventory:
    """About `count` numbers, over all countries and types; never fewer when it is above 10,000."""
    rng = random.Random(seed)  # noqa: S311 - repeatable on purpose
    inventory = Inventory()
    for (iso_country, kind), share in _SHARE.items():
        pool = Pool(iso_country, kind)
        for center, numbers in _local_numbers(iso_country, int(count * share), rng):
            pool.add("1", numbers, inventory.place(rate_center_document(center)))
        inventory.pools.append(pool)
    for iso_country, share in _TOLL_FREE_SHARE.items():
        pool = Pool(iso_country, "tollfree")
        place = inventory.place(country_document(iso_country))
        pool.add("1", _toll_free_numbers(iso_country, int(count * share), rng), place)
        inventory.pools.append(pool)
    ranges = facts.number_ranges()
    each = max(_FEWEST, int(count * _ELSEWHERE_SHARE) // len(ranges) + 1)
    taken: dict[str, set[str]] = defaultdict(set)
    for row in ranges:
        pool = Pool(row.iso_country, row.type)
        place = inventory.place(country_document(row.iso_country))
        numbers = _from_example(row, each, rng)
        # Some countries number two types alike.
        known = taken[row.iso_country]
        pool.add(row.calling_code, [number for number in numbers if number not in known], place)
        known.update(numbers)
        inventory.pools.append(pool)
    inventory.finish(rng)
    return inventory


def owned_number(turn: int, area_code: str, share: int) -> str:
    """National number that an account gets in a rate center, of which these are the turns.

    Args:
        turn: counts from 0.
        area_code: the rate center's.
        share: which one it is of those that have the area code, from 0: each has its exchanges.
    """
    round_, place = divmod(turn, len(_OWNED_EXCHANGES) // _MOST_SHARING)
    exchange = _OWNED_EXCHANGES[place * _MOST_SHARING + share]
    return f"{area_code}{exchange}{round_ * _STEP % _LINES:04d}"


def shares() -> list[tuple[facts.RateCenter, int]]:
    """The rate centers that can be searched by, each with its turn in its area code."""
    found: list[tuple[facts.RateCenter, int]] = []
    seen: dict[str, int] = defaultdict(int)
    for center in facts.rate_centers():
        if center.iso_country in facts.GEO_SEARCH_COUNTRIES:
            found.append((center, seen[center.area_code]))
            seen[center.area_code] += 1
    return found


def _beside_owned() -> dict[facts.RateCenter, set[int]]:
    """Seven-digit numbers in exchanges where accounts own others, by rate center.

    Two of three such exchanges have some.
    """
    return {
        center: {
            # From the other end of the lines that are handed out.
            int(owned_number(turn, center.area_code, share)[3:6]) * _LINES + -_STEP * line % _LINES
            for turn in range(_SHARED_EXCHANGES)
            if (index + turn) % 3
            for line in (1, 2)
        }
        for index, (center, share) in enumerate(shares())
    }


def _local_numbers(
    iso_country: str, count: int, rng: random.Random
) -> Iterator[tuple[facts.RateCenter, list[str]]]:
    """The national numbers of every rate center of a country; large ones get several times as
    many.
    """
    centers = [center for center in facts.rate_centers() if center.iso_country == iso_country]
    weights = [_LARGE_WEIGHT if center.name in _LARGE_RATE_CENTERS else 1 for center in centers]
    unit = count / sum(weights)
    exchanges: dict[str, list[int]] = {}
    holders: dict[tuple[str, int], int] = {}
    beside_owned = _beside_owned()
    for index, (center, weight) in enumerate(zip(centers, weights, strict=True)):
        code = center.area_code
        if code not in exchanges:
            exchanges[code] = rng.sample(_EXCHANGES, len(_EXCHANGES))
        wanted = max(_FEWEST, int(unit * weight) + 1)
        own = [exchanges[code].pop() for _ in range(max(3, wanted // 60))]
        lines = _documented_lines(center, index, own, rng)
        lines |= {
            FICTIONAL_EXCHANGE * _LINES + line
            for line in rng.sample(range(2000), max(3, wanted // 16))
        }
        spread = rng.sample(range(len(own) * _LINES), max(0, wanted - len(lines)))
        beside = beside_owned.get(center, set())
        lines |= beside | {
            own[position // _LINES] * _LINES + position % _LINES
            for position in spread[len(beside) :]
        }
        # The first rate center that has numbers of an exchange has all of them.
        lines = {
            line for line in lines if holders.setdefault((code, line // _LINES), index) == index
        }
        yield center, [f"{code}{line}" for line in sorted(lines)]


def _documented_lines(
    center: facts.RateCenter, index: int, own: list[int], rng: random.Random
) -> set[int]:
    """Seven-digit numbers that make the documentation's own searches succeed."""
    lines: set[int] = set()
    if index % 5 == 0:  # STORM = 78676, across exchange and line
        exchange = next((e for e in own if e % 10 == 7), 317)  # noqa: PLR2004
        lines.add(exchange * _LINES + 8676)
    if index % 7 == 0:  # STORM, from the exchange on
        lines |= {786 * _LINES + 7600 + rng.randrange(100) for _ in range(3)}
    if center.area_code == "530":  # near Carson City, containing 345
        lines |= {own[0] * _LINES + 3450 + rng.randrange(1000) % 10 for _ in range(4)}
    if center.name == "LITTLEROCK":  # the exchange of +1 501 605 5555
        lines |= {605 * _LINES + rng.randrange(_LINES) for _ in range(6)}
    return lines


def _toll_free_numbers(iso_country: str, count: int, rng: random.Random) -> list[str]:
    """National toll-free numbers; the two countries share prefixes and have exchanges of their
    own.
    """
    parity = 0 if iso_country == "US" else 1
    exchanges = [exchange for exchange in _EXCHANGES if exchange % 2 == parity]
    found: set[str] = set()
    each = max(_FEWEST, count // len(facts.NANP_TOLL_FREE_PREFIXES) + 1)
    for prefix in facts.NANP_TOLL_FREE_PREFIXES:
        mine = {
            f"{prefix}{exchanges[position // _LINES]}{position % _LINES:04d}"
            for position in rng.sample(range(len(exchanges) * _LINES), each)
        }
        if parity == 0:
            mine |= {f"{prefix}78676{rng.randrange(100):02d}" for _ in range(3)}  # STORM
            mine |= {f"{prefix}53669{rng.randrange(100):02d}" for _ in range(3)}  # JENNY
            mine |= {f"{prefix}{rng.choice(exchanges)}3742" for _ in range(3)}  # EPIC
        found |= mine
    return sorted(found)


def _from_example(row: facts.NumberRange, count: int, rng: random.Random) -> list[str]:
    """National numbers that share the example's first digits."""
    national = row.example.removeprefix("+" + row.calling_code)
    free = min(6, len(national) - 2)
    stem = national[: len(national) - free]
    values = rng.sample(range(10**free), min(count, 10**free))
    return [f"{stem}{value:0{free}d}" for value in values]
