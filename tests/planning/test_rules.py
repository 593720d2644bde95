"""How plans count calls and name the fields that share one."""

from typing import Any, cast

import pytest

from gateway.auth.caller import Caller
from gateway.errors import Forbidden
from gateway.numbers.accounts import AccountCounts
from gateway.planning.field_rules import RULES
from gateway.planning.plan import (
    Draft,
    Place,
    Plan,
    PlannedRead,
    PlanningFacts,
    Step,
    Times,
    named,
)
from gateway.upstream.call import Credential


def test_fields_that_share_a_call_are_named_once_and_only_the_first_few() -> None:
    assert named(["a", "b", "a"]) == "a, b"
    assert named(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"


def test_times_are_added_least_to_least_and_most_to_most() -> None:
    assert Times(1, 2).plus(Times(3, 4)) == Times(4, 6)


OWN, OTHER = "AC" + "1" * 32, "AC" + "2" * 32
CALLER = Caller(Credential(OWN, "secret", OWN), "me", accounts=frozenset({OWN}))


def draft(*, keeps: bool = False) -> Draft:
    """Return a plan of reads, which need to know no more than who asks and what is kept."""
    unasked = cast("Any", None)
    return Draft(
        PlanningFacts(CALLER, unasked, unasked, AccountCounts(), lambda _: keeps, 0, 0, 0, unasked)
    )


ROOT = Place("", Times(1, 1), ())
EACH = Place("nodes", Times(0, 20), ("nodes",))
LIST = PlannedRead("GET a list", "list", "owned")


def test_equal_reads_are_planned_once_and_named_as_shared() -> None:
    planned = draft()
    planned.read(ROOT, "a", [("list", 1)], LIST)
    planned.read(ROOT, "b", [("list", 1)], LIST)
    planned.read(ROOT, "c", [("list", 1), ("list", 2)], LIST)
    steps = planned.plan.steps
    assert [(each.strategy, each.least, each.most) for each in steps] == [
        ("list", 1, 1),
        ("coalesced", 0, 0),
        ("list", 1, 1),
    ]
    assert [each.naive for each in steps] == [Times(1, 1), Times(1, 1), Times(2, 2)]


def test_what_is_read_for_each_object_is_bounded_by_how_many_share_it() -> None:
    planned = draft()
    planned.read(EACH, "nodes.a", [("a",)], LIST)
    planned.read(EACH, "nodes.b", [("b",)], LIST._replace(most=3, extra=1))
    assert [(each.least, each.most) for each in planned.plan.steps] == [(0, 20), (0, 4)]


def test_an_answer_that_may_be_kept_may_cost_nothing() -> None:
    planned = draft(keeps=True)
    planned.read(ROOT, "a", [("list", 1)], LIST)
    [step] = planned.plan.steps
    assert (step.least, step.most, step.reason) == (0, 1, "one call; none if the answer is kept")


def test_what_only_makes_an_answer_better_shares_what_is_left() -> None:
    def step(most: int, *, spare: bool, conditional: bool = False) -> Step:
        return Step("f", "GET", "s", 1, most, Times(1, most), "why", spare, conditional)

    plan = Plan([step(5, spare=False), step(4, spare=True), step(9, spare=True, conditional=True)])
    assert (plan.least, plan.most, plan.needed, plan.spare("s")) == (2, 18, 5, 13)
    plan.limit_spare(6)
    assert [each.most for each in plan.steps] == [5, 4, 2]
    assert plan.report()["calls"] == {"min": 2, "max": 11}


def test_the_rule_of_a_field_says_what_it_reads_and_where_the_plan_goes_on() -> None:
    planned = draft()
    countries = RULES["Query.countries"](planned, ROOT, "countries", {})
    RULES["Country.prices"](planned, countries, "countries.prices", {})
    for alias in ("a", "b"):
        RULES["Query.country"](planned, ROOT, alias, {"code": "US"})
    steps = [(each.field, each.strategy, each.least, each.most) for each in planned.plan.steps]
    assert steps == [
        ("countries", "get", 1, 1),
        ("countries.prices", "get", 0, countries.times.most),
        ("a", "get", 1, 1),
        ("b", "coalesced", 0, 0),
    ]


@pytest.mark.parametrize(
    ("field", "argument"),
    [
        ("Query.account", "sid"),
        ("Query.rateLimit", "account_sid"),
        ("Query.phoneNumbers", "account_sid"),
    ],
)
def test_a_rule_refuses_what_its_resolver_refuses(field: str, argument: str) -> None:
    with pytest.raises(Forbidden):
        RULES[field](draft(), ROOT, "f", {argument: OTHER})


def test_who_may_not_see_all_accounts_is_told_of_no_count_of_them() -> None:
    counts = AccountCounts()
    counts.subaccounts.learn(OWN, 7, more=False)
    counts.countries.learn(OWN, 40, more=False)
    told = counts.told(all_accounts=False)
    assert (told.subaccounts.exact(OWN), told.countries.exact(OWN)) == (None, 40)
    assert counts.told(all_accounts=True).subaccounts.exact(OWN) == 7
