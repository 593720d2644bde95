"""PURE: what is asked of who buys a number, beside what the input of the purchase has.

What is certain is little: without an address a number that requires one is refused (21631, 21615).
A regulation does not tell by which paper the upstream wants its documents shown, a bundle (21649)
or an identity (21650), nor whether one that is named will do. Without any it can only be missing.
"""

from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Final

from schema.enums import AddressRequirements, RegulatoryDocument, RequirementStatus
from schema.values import NumberToBuy, PurchaseRequirement, RequiredDocument, Requirements

_ADDRESSES: Final[Mapping[AddressRequirements, str]] = {
    AddressRequirements.ANY: "an address, anywhere in the world",
    AddressRequirements.LOCAL: "an address within its country",
    AddressRequirements.FOREIGN: "an address outside its country",
}
"""Address requirement -> what is asked for; nothing for those that are not here."""
_ADDRESS: Final = (RegulatoryDocument.ADDRESS,)
# An address is shown by itself or in a bundle, other documents only in a paper made of them; whom
# they are about, each tells.
_SHOW_ADDRESS: Final = (RegulatoryDocument.ADDRESS, RegulatoryDocument.BUNDLE)
_SHOW_OTHERS: Final = (RegulatoryDocument.BUNDLE, RegulatoryDocument.IDENTITY)
_TELL_OWNER: Final = tuple(RegulatoryDocument)
# Field of documents that are addresses of the account.
_ADDRESS_SIDS: Final = "address_sids"


def asked_address(
    address: AddressRequirements | None, given: Container[RegulatoryDocument]
) -> str | None:
    """Return in words the address that a number requires and the input lacks; None if none is."""
    if address is None or RegulatoryDocument.ADDRESS in given:
        return None
    return _ADDRESSES.get(address)


def requirements(number: NumberToBuy, law: Requirements | None) -> list[PurchaseRequirement]:
    """Return what is asked for, the address first; `law` is the regulation, if there is one."""
    return [*_address(number), *_documents(number, law)]


def _address(number: NumberToBuy) -> Iterator[PurchaseRequirement]:
    if number.address is None:
        asked = "Perhaps an address"
        message = (
            "The number was not seen for sale, so that it is not known which address it requires,"
            " if any."
        )
        yield PurchaseRequirement(
            key="address",
            asked=asked,
            papers=[*_ADDRESS],
            status=RequirementStatus.UNKNOWN,
            message=message,
        )
    elif (words := _ADDRESSES.get(number.address)) is not None:
        found = _requirement(number, "address", words[0].upper() + words[1:], _ADDRESS)
        if RegulatoryDocument.ADDRESS not in number.given:
            found.message = f"{_names_none(_ADDRESS)}: the purchase would be refused."
        elif number.address is AddressRequirements.ANY:
            found.status = RequirementStatus.PROVIDED
            found.message = (
                "`regulatory.addressSid` is given, and any address of the account will do."
            )
        yield found


def _documents(number: NumberToBuy, law: Requirements | None) -> Iterator[PurchaseRequirement]:
    if number.country is None or number.type is None:
        yield PurchaseRequirement(
            key="documents",
            asked="Perhaps documents",
            papers=[*_TELL_OWNER],
            status=RequirementStatus.UNKNOWN,
            message="Which kind of number it is, and of which country, could not be found out.",
        )
    if law is None:
        return
    for field in law.information:
        whose = law.end_user.name.lower()
        yield _requirement(number, field.key, f"{field.name} of the {whose}", _TELL_OWNER)
    for document in law.documents:
        papers = _SHOW_ADDRESS if _is_address(document) else _SHOW_OTHERS
        yield _requirement(number, document.key, _shown_by(document), papers)


def _requirement(
    number: NumberToBuy, key: str, asked: str, papers: Sequence[RegulatoryDocument]
) -> PurchaseRequirement:
    given = [each for each in papers if each in number.given]
    if given:
        status = RequirementStatus.UNKNOWN
        message = (
            f"Given: {_named(given)}. Whether that is accepted, and has this, cannot be told before"
            " the purchase."
        )
    else:
        status = RequirementStatus.MISSING
        message = f"{_names_none(papers)}: the purchase may be refused."
    return PurchaseRequirement(
        key=key, asked=asked, papers=[*papers], status=status, message=message
    )


def _is_address(document: RequiredDocument) -> bool:
    return bool(document.accepted) and all(
        field.key == _ADDRESS_SIDS for each in document.accepted for field in each.fields
    )


def _shown_by(document: RequiredDocument) -> str:
    names = "; ".join(each.name for each in document.accepted)
    one_of = "one of: " if len(document.accepted) > 1 else ""
    return f"{document.name}, shown by {one_of}{names}" if names else document.name


def _names_none(papers: Sequence[RegulatoryDocument]) -> str:
    if len(papers) == 1:
        return f"{_named(papers)} is not given"
    return f"None of {_named(papers)} is given"


def _named(papers: Sequence[RegulatoryDocument]) -> str:
    return ", ".join(f"`regulatory.{each.name.lower()}Sid`" for each in papers)
