"""The mutations. What the upstream refuses is data (`userErrors`), not an error."""

from typing import Annotated

import strawberry
from strawberry import argument, field
from strawberry.scalars import ID

from schema.context import Info
from schema.directives import Cost, ListSize, Scope, needs, part
from schema.enums import UserErrorCode
from schema.inputs import (
    ConfigurePhoneNumberInput,
    ConfigurePhoneNumbersInput,
    PurchasePhoneNumberInput,
    PurchasePhoneNumbersInput,
    ReleasePhoneNumberInput,
    ReleasePhoneNumbersInput,
    TransferPhoneNumberInput,
    TransferPhoneNumbersInput,
)
from schema.types import PhoneNumber

_WRITE = Cost(weight="10")


@strawberry.type(description="Why something was not done.", directives=[part()])
class UserError:
    field: list[str] = strawberry.field(
        description="Path of the input field to blame, below `input`; empty when there is none. In"
        ' a plural mutation it begins with the item: `["items", "1", "sid"]`, counted from 0.'
    )
    message: str = strawberry.field(description="A sentence for people.")
    code: UserErrorCode = strawberry.field(description="The reason, for programs.")
    upstream_code: int | None = strawberry.field(description="The upstream's own error code.")


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


@strawberry.interface(description="What the payloads of all mutations have in common.")
class MutationPayload:
    user_errors: list[UserError] = field(description="Why it was not done; empty when it was.")
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
class PurchasePhoneNumberPayload(MutationPayload):
    phone_number: PhoneNumber | None = field(description="The number, now owned.")


@strawberry.type(description="Result of a configuration.")
class ConfigurePhoneNumberPayload(MutationPayload):
    phone_number: PhoneNumber | None = field(description="The number as it is now.")


@strawberry.type(description="Result of a transfer.")
class TransferPhoneNumberPayload(MutationPayload):
    phone_number: PhoneNumber | None = field(description="The number in its new account.")


@strawberry.type(description="Result of a release.")
class ReleasePhoneNumberPayload(MutationPayload):
    released_sid: ID | None = field(description="The sid that is no more.")
    released_phone_number: str | None = field(
        description="The number that was given back, as `PhoneNumber.phoneNumber` writes it."
    )


@strawberry.type(description="Results of several purchases.", directives=[part()])
class PurchasePhoneNumbersPayload:
    results: list[PurchasePhoneNumberPayload] = field(
        description="One per item, in order.", directives=[_WRITE]
    )


@strawberry.type(description="Results of several configurations.", directives=[part()])
class ConfigurePhoneNumbersPayload:
    results: list[ConfigurePhoneNumberPayload] = field(
        description="One per item, in order.", directives=[_WRITE]
    )


@strawberry.type(description="Results of several transfers.", directives=[part()])
class TransferPhoneNumbersPayload:
    results: list[TransferPhoneNumberPayload] = field(
        description="One per item, in order.", directives=[_WRITE]
    )


@strawberry.type(description="Results of several releases.", directives=[part()])
class ReleasePhoneNumbersPayload:
    results: list[ReleasePhoneNumberPayload] = field(
        description="One per item, in order.", directives=[_WRITE]
    )


# A plural costs its items' results; each of them weighs as much as the singular form.
_EACH = ListSize(slicing_arguments=["input.items"], sized_fields=["results"])


@strawberry.type(description="What can be changed. Each costs at most one upstream write.")
class Mutation:
    @field(
        description="Buy a number. Never buys twice, whatever fails on the way.",
        directives=[_WRITE, needs(Scope.NUMBERS_PURCHASE)],
    )
    async def purchase_phone_number(
        self,
        info: Info,
        input: Annotated[PurchasePhoneNumberInput, argument(description="What to buy.")],  # noqa: A002
    ) -> PurchasePhoneNumberPayload:
        return await info.context.purchase(input, at=info.at)

    @field(
        description="Change the settings of an owned number.",
        directives=[_WRITE, needs(Scope.NUMBERS_CONFIGURE)],
    )
    async def configure_phone_number(
        self,
        info: Info,
        input: Annotated[ConfigurePhoneNumberInput, argument(description="What to set.")],  # noqa: A002
    ) -> ConfigurePhoneNumberPayload:
        return await info.context.configure(input, at=info.at)

    @field(
        description="Move an owned number between a parent account and its subaccounts.",
        directives=[_WRITE, needs(Scope.NUMBERS_TRANSFER)],
    )
    async def transfer_phone_number(
        self,
        info: Info,
        input: Annotated[TransferPhoneNumberInput, argument(description="What to move.")],  # noqa: A002
    ) -> TransferPhoneNumberPayload:
        return await info.context.transfer(input, at=info.at)

    @field(
        description=(
            "Give an owned number back. The API has no way to undo it: Twilio's console alone gives"
            " a number back, for ten days, while nobody else has it."
        ),
        directives=[_WRITE, needs(Scope.NUMBERS_RELEASE)],
    )
    async def release_phone_number(
        self,
        info: Info,
        input: Annotated[ReleasePhoneNumberInput, argument(description="What to release.")],  # noqa: A002
    ) -> ReleasePhoneNumberPayload:
        return await info.context.release(input, at=info.at)

    @field(
        description="Buy several numbers, each on its own: one refusal stops no other.",
        directives=[_EACH, needs(Scope.NUMBERS_PURCHASE)],
    )
    async def purchase_phone_numbers(
        self,
        info: Info,
        input: Annotated[PurchasePhoneNumbersInput, argument(description="What to buy.")],  # noqa: A002
    ) -> PurchasePhoneNumbersPayload:
        results = await info.context.purchase_each(input.items, at=info.at)
        return PurchasePhoneNumbersPayload(results=results)

    @field(
        description="Change the settings of several numbers, each on its own.",
        directives=[_EACH, needs(Scope.NUMBERS_CONFIGURE)],
    )
    async def configure_phone_numbers(
        self,
        info: Info,
        input: Annotated[ConfigurePhoneNumbersInput, argument(description="What to set.")],  # noqa: A002
    ) -> ConfigurePhoneNumbersPayload:
        results = await info.context.configure_each(input.items, at=info.at)
        return ConfigurePhoneNumbersPayload(results=results)

    @field(
        description="Move several numbers, each on its own.",
        directives=[_EACH, needs(Scope.NUMBERS_TRANSFER)],
    )
    async def transfer_phone_numbers(
        self,
        info: Info,
        input: Annotated[TransferPhoneNumbersInput, argument(description="What to move.")],  # noqa: A002
    ) -> TransferPhoneNumbersPayload:
        results = await info.context.transfer_each(input.items, at=info.at)
        return TransferPhoneNumbersPayload(results=results)

    @field(
        description=(
            "Give several numbers back, each on its own. The API has no way to undo it: Twilio's"
            " console alone gives a number back, for ten days, while nobody else has it."
        ),
        directives=[_EACH, needs(Scope.NUMBERS_RELEASE)],
    )
    async def release_phone_numbers(
        self,
        info: Info,
        input: Annotated[ReleasePhoneNumbersInput, argument(description="What to release.")],  # noqa: A002
    ) -> ReleasePhoneNumbersPayload:
        results = await info.context.release_each(input.items, at=info.at)
        return ReleasePhoneNumbersPayload(results=results)
