"""How long an answer may be kept by clients: hints in the schema itself."""

import strawberry
from strawberry.schema_directive import Location

MINUTE = 60
HOUR = 60 * MINUTE


@strawberry.schema_directive(
    locations=[Location.FIELD_DEFINITION],
    name="cacheControl",
    description="How long what this field answers stays true, in seconds. Root fields without it"
    " are not to be kept; other fields stay true as long as what they belong to.",
)
class CacheControl:
    max_age: int = strawberry.directive_field(name="maxAge")
