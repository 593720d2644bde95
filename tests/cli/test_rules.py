"""What an operation selects, before there is an answer."""

from gateway.cli.selections import Selected, selection_of


def test_fields_come_under_their_names_in_the_answer_fragments_included() -> None:
    text = """query One { a: account { ...f } } query Two { b: account { sid } }
    fragment f on Account { sid ... on Account { name: friendlyName } }"""
    fields = {"sid": Selected("sid", {}), "name": Selected("friendlyName", {})}
    assert selection_of(text, "One") == {"a": Selected("account", fields)}


def test_a_field_that_is_selected_twice_has_what_both_select() -> None:
    found = selection_of("{ account { sid } account { friendlyName } }", None)
    assert list(found["account"].fields) == ["sid", "friendlyName"]
