"""What mutations give back."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Protocol, TypeVar

import strawberry
from strawberry import field
from strawberry.scalars import ID

from schema.directives import Cost, ListSize, part
from schema.enums import EndUser
from schema.info import Info
from schema.nodes import PhoneNumber
from schema.read_port import ReadPort
from schema.user_errors import (
    ConfigurePhoneNumberUserError,
    PurchasePhoneNumberUserError,
    ReleasePhoneNumberUserError,
    TransferPhoneNumberUserError,
    UserError,
)
from schema.values import NumberToBuy, PurchaseRequirement

# A plural costs its items' results; each of them weighs as much as the singular form.
_WRITE = Cost(weight="10")
_WHY = "Why it was not done; empty when it was."
_WHY_NOT_ALL = (
    "Why items were not done: the errors of all results, in their order; empty when all was done."
)


@strawberry.type(description="A form parameter of an upstream request.", directives=[part()])
class RequestParameter:
    name: str = field(description="Its name.")
    value: str = field(description="Its value.")


@strawberry.type(
    description="The upstream request that a dry run would have sent.", directives=[part()]
)
class UpstreamRequest:
    method: str = field(description="HTTP method.")
    path: str = field(description="Path on the upstream.")
    parameters: list[RequestParameter] = field(description="Form parameters.")


# The other fields of a write would have no one meaning for several of them, so they are no part of
# what all payloads share: some results may be replayed, and each dry run has a request of its own.
@strawberry.interface(description="What the payloads of all mutations have in common.")
class MutationPayload:
    user_errors: Sequence[UserError] = field(
        description="Why something was not done; empty when all was. In a plural mutation these are"
        " the errors of all its items, in their order; `field` begins with the item."
    )


@strawberry.interface(
    description="What came of one write: the payload of a mutation of one number, and each of the"
    " `results` of a plural mutation."
)
class WritePayload(MutationPayload):
    user_errors: Sequence[UserError] = field(description=_WHY)
    reconciled: bool = field(
        description="The upstream's answer was lost, and looking the number up showed the outcome."
    )
    replayed: bool = field(
        description="This is the remembered result of an earlier request with the same key."
    )
    would_send: UpstreamRequest | None = field(
        description="With `dryRun`: what would have been sent."
    )


@strawberry.type(description="Result of a purchase.")
class PurchasePhoneNumberPayload(WritePayload):
    user_errors: Sequence[PurchasePhoneNumberUserError] = field(description=_WHY)
    phone_number: PhoneNumber | None = field(description="The number, now owned.")
    to_buy: strawberry.Private[NumberToBuy | None] = None

    @field(
        description="With `dryRun`: what is asked of who buys the number, the address that it"
        " requires first, and whether the input has it. What is certain to be refused is in"
        " `userErrors`, too; the rest is what the law asks for, and the upstream judges by it only"
        " when the number is bought. Empty when nothing is asked. Null, without an error, unless it"
        " was a dry run of what can be bought; null with an error when what the law asks for could"
        " not be read.",
        directives=[Cost(weight="1"), ListSize(assumed_size=8)],
    )
    async def requirements(
        self,
        info: Info[ReadPort, None],
        end_user: Annotated[EndUser, strawberry.argument(description="Who is to use the number.")],
    ) -> list[PurchaseRequirement] | None:
        if self.to_buy is None:
            return None
        return await info.context.accounts.to_buy(self.to_buy, end_user=end_user, at=info.at)


@strawberry.type(description="Result of a configuration.")
class ConfigurePhoneNumberPayload(WritePayload):
    user_errors: Sequence[ConfigurePhoneNumberUserError] = field(description=_WHY)
    phone_number: PhoneNumber | None = field(description="The number as it is now.")


@strawberry.type(description="Result of a transfer.")
class TransferPhoneNumberPayload(WritePayload):
    user_errors: Sequence[TransferPhoneNumberUserError] = field(description=_WHY)
    phone_number: PhoneNumber | None = field(description="The number in its new account.")


@strawberry.type(description="Result of a release.")
class ReleasePhoneNumberPayload(WritePayload):
    user_errors: Sequence[ReleasePhoneNumberUserError] = field(description=_WHY)
    released_id: ID | None = field(
        description="The `id` of the number that is no more: by it a cache drops the number."
    )
    released_number: str | None = field(
        description="The number that was given back, as `PhoneNumber.phoneNumber` writes it."
    )


@strawberry.type(description="Results of several purchases.", directives=[part()])
class PurchasePhoneNumbersPayload(MutationPayload):
    user_errors: Sequence[PurchasePhoneNumberUserError] = field(description=_WHY_NOT_ALL)
    results: list[PurchasePhoneNumberPayload] = field(
        description="One per item, in order.", directives=[_WRITE]
    )


@strawberry.type(description="Results of several configurations.", directives=[part()])
class ConfigurePhoneNumbersPayload(MutationPayload):
    user_errors: Sequence[ConfigurePhoneNumberUserError] = field(description=_WHY_NOT_ALL)
    results: list[ConfigurePhoneNumberPayload] = field(
        description="One per item, in order.", directives=[_WRITE]
    )


@strawberry.type(description="Results of several transfers.", directives=[part()])
class TransferPhoneNumbersPayload(MutationPayload):
    user_errors: Sequence[TransferPhoneNumberUserError] = field(description=_WHY_NOT_ALL)
    results: list[TransferPhoneNumberPayload] = field(
        description="One per item, in order.", directives=[_WRITE]
    )


@strawberry.type(description="Results of several releases.", directives=[part()])
class ReleasePhoneNumbersPayload(MutationPayload):
    user_errors: Sequence[ReleasePhoneNumberUserError] = field(description=_WHY_NOT_ALL)
    results: list[ReleasePhoneNumberPayload] = field(
        description="One per item, in order.", directives=[_WRITE]
    )


E = TypeVar("E", bound=UserError)
E_co = TypeVar("E_co", bound=UserError, covariant=True)


class _Result(Protocol[E_co]):
    """A result of a plural mutation."""

    @property
    def user_errors(self) -> Sequence[E_co]:
        """Why it was not done."""


def errors_of(results: Iterable[_Result[E]]) -> list[E]:
    """Return the errors of all results, in their order."""
    return [error for each in results for error in each.user_errors]
