"""The functions that projections are written as can be read, and are as their writer's page says."""

import textwrap

from gateway.execution import projection_writer
from gateway.execution.projection import Projections, Projector
from gateway.mapping.records import VIEWS
from schema.enums import Source
from tests.support.selected_fields import selected


def test_the_function_made_for_a_selection_is_the_one_that_the_writer_shows() -> None:
    page = projection_writer.__doc__ or ""
    shown = [textwrap.dedent(block) for block in page.split("\n\n") if block.startswith("    ")]
    fields, function = shown
    kind = VIEWS[Source.CATALOG]["PhoneNumber"]
    written = projection_writer.write(selected(fields), kind, Projections(Projector()))
    assert written.text.rstrip() == function.rstrip()
    assert set(written.names) >= {"missing", "k1", "k2", "k5", "k6", "k7"}
