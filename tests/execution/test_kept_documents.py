"""What is kept of a document: little, and nothing that the garbage collector has to find."""

import gc
import tracemalloc

import pytest
from graphql import NameNode, print_ast

from gateway.documents.documents import Document, Documents
from gateway.execution.compiled_queries import CompiledOperation, compiled_for
from gateway.execution.projection import Projector
from schema import build_core_schema
from tests.benchmarks.operations import SMALL, WIDE

SCHEMA = build_core_schema()
PROJECTOR = Projector()
VALUES = {"sid": "PN", "first": 50, "postalCode": "94105"}


def compiled(document: Document, name: str | None = None) -> CompiledOperation:
    """Return a query of a document as it is compiled."""
    return compiled_for(SCHEMA, PROJECTOR, document, document.choose(name))


def run(documents: Documents, text: str) -> Document:
    """Get a document as for a request, and return it when it is ready to run."""
    document = documents.get(text)
    assert compiled(document).find(VALUES) is not None
    return document


@pytest.mark.parametrize(
    ("query", "most"), [(SMALL.query, 8_000), (WIDE.query, 20_000)], ids=["small", "wide"]
)
def test_a_kept_query_takes_few_bytes(query: str, most: int) -> None:
    """A third of what its syntax tree would take beside; most of it is the same for all.

    Names that documents have in common are kept once, and so is what is known of a plain field.
    """
    documents, count = Documents(SCHEMA), 20
    run(documents, query)
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        kept = [run(documents, f"{query}# {place}") for place in range(count)]
        gc.collect()
        taken = (tracemalloc.get_traced_memory()[0] - before) / count
    finally:
        tracemalloc.stop()
    assert len(kept) == count
    assert taken < most


def test_a_query_that_is_let_go_is_gone_without_the_collector() -> None:
    documents = Documents(SCHEMA, most=1)
    gc.disable()
    try:
        for place in range(3):
            run(
                documents,
                WIDE.query.replace("nodes {", "nodes { gone_at_once: sid", 1) + f"# {place}",
            )
        run(documents, SMALL.query)
        assert [each for each in gc.get_objects() if is_left(each, "gone_at_once")] == []
    finally:
        gc.enable()


def is_left(thing: object, name: str) -> bool:
    """Whether something is a document with a name in it, or a node of one."""
    text = (
        thing.text
        if isinstance(thing, Document)
        else thing.value
        if isinstance(thing, NameNode)
        else ""
    )
    return name in text


def test_a_syntax_tree_is_dropped_when_its_query_is_compiled_and_parsed_again_when_needed() -> None:
    text = """
        query One($on: Boolean!) { phoneNumbers { nodes { sid @include(if: $on) ...More } } }
        query Other { countries { code } }
        fragment More on PhoneNumber { type }
    """
    document = Documents(SCHEMA).get(text)
    assert document.syntax is not None
    before = print_ast(document.syntax.ast)
    for name in ("One", "Other"):
        for on in (True, False):
            assert compiled(document, name).find({"on": on}) is not None
            assert not document.syntax.is_there
    assert document.choose("None").kind is None
    assert not document.syntax.is_there
    assert document.ast is not None
    assert document.whole is document.ast
    assert print_ast(document.ast) == before
    assert document.syntax.is_there


def test_what_is_left_to_graphql_core_keeps_its_syntax_tree() -> None:
    document = Documents(SCHEMA).get('{ node(id: "x") { id } }')
    assert compiled(document).find({}) is None
    assert document.syntax is not None
    assert document.syntax.is_there


def test_a_tree_that_is_parsed_again_has_malformed_items_marked_as_before() -> None:
    text = """mutation {
        purchasePhoneNumbers(input: { items: [{ phoneNumber: "nonsense" }] }) { userErrors { code } }
    }"""
    document = Documents(SCHEMA).get(text)
    assert document.errors == ()
    assert document.syntax is not None
    before = document.syntax.ast.to_dict(locations=True)
    document.syntax.drop()
    assert document.syntax.ast.to_dict(locations=True) == before


def test_increments_have_a_tree_of_their_own() -> None:
    document = Documents(SCHEMA).get("{ countries { code ... @defer { name } } }")
    assert document.incremental
    assert document.syntax is not None
    assert "@defer" in print_ast(document.syntax.ast)
    assert "@defer" not in print_ast(document.syntax.whole)
