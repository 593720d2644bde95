"""Which credentials the upstream has accepted for which account, and when that was last seen.

Whoever sends a credential claims an account; only the upstream knows whether that is so. Its
answers tell: a success for an account proves the claim, a refusal takes the proof back. A proof
holds for a bounded time, and is kept under a one-way name of the credential, in this process alone.

What an answer proves depends on the credential. An account's sid with its Auth Token also reaches
its subaccounts. An API key reaches nothing but the account that it was made in; but a key of the
main kind reads the list of accounts, and perhaps each account on it, so that for keys only what
lies below an account proves anything.
"""

import time
from collections.abc import Callable

from gateway.errors import UpstreamDenied
from gateway.upstream.call import Call, Credential
from schema.enums import Source

# Seconds that a proof holds. A key that is revoked is refused by the upstream itself meanwhile.
_MEMORY = 600.0
_MOST = 10_000
_ACCOUNT = "/2010-04-01/Accounts/{account}"
_UNAUTHORIZED = 401
# The upstream's codes for credentials that it does not accept, and for accounts not active.
DENIED, INACTIVE = 20003, 20005
_CHECK_BOTH = "The upstream does not accept the account sid and Auth Token in use: check both."


class Accepted:
    """The proofs of this process: bounded in time and number, the oldest forgotten first.

    Args:
        memory: seconds that a proof holds.
        most: how many are kept.
        clock: tells the time in seconds; it never goes back.
    """

    def __init__(
        self,
        memory: float = _MEMORY,
        most: int = _MOST,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._memory = memory
        self._most = most
        self._clock = clock
        # Account and fingerprint → until when. In the order in which they were last renewed.
        self._until: dict[tuple[str, str], float] = {}

    def accepts(self, credential: Credential, account: str) -> bool:
        """Whether the upstream has lately accepted this very credential for `account`."""
        until = self._until.get((account, credential.secret_name))
        return until is not None and until > self._clock()

    def owns(self, credential: Credential, account: str) -> bool:
        """Whether the upstream takes a credential for `account` where no path names one.

        An account's own sid says so itself, rightly or in vain; of an API key it must be proven.
        """
        if credential.is_key:
            return self.accepts(credential, account)
        return credential.username == account

    def note(self, credential: Credential, account: str) -> None:
        """Remember that the upstream has accepted the credential for `account`."""
        if not self._is_due(credential, account):
            return
        name = (account, credential.secret_name)
        self._until.pop(name, None)
        self._until[name] = self._clock() + self._memory
        if len(self._until) > self._most:
            del self._until[next(iter(self._until))]

    def forget(self, credential: Credential, account: str) -> None:
        """Take the proof back: the upstream does not accept the credential any more."""
        self._until.pop((account, credential.secret_name), None)

    def succeeded(self, call: Call, credential: Credential, body: bytes) -> None:
        """Note what a success of the upstream with this `body` proves."""
        # What proves it must say itself what it is about: any page may come with a 200.
        if (
            self._is_due(credential, call.account)
            and _proves(call, credential)
            and _is_about(call, credential, body)
        ):
            self.note(credential, call.account)

    def refused(self, call: Call, credential: Credential, refusal: UpstreamDenied) -> None:
        """Note what a refusal of the upstream takes back."""
        if takes_back(call, credential, refusal):
            self.forget(credential, call.account)

    def _is_due(self, credential: Credential, account: str) -> bool:
        """Whether a proof is to be made, or renewed: not with every answer, it is about minutes."""
        until = self._until.get((account, credential.secret_name))
        return until is None or until - self._clock() <= self._memory / 2


def why(call: Call, credential: Credential, refusal: UpstreamDenied) -> str | None:
    """Return what a refusal means, in words; None when its own say all."""
    if refusal.upstream_code == INACTIVE or not _not_accepted(refusal):
        return None
    if not credential.is_key:
        if call.account == credential.username:
            # What the upstream says by default helps nobody; anything else may.
            return _CHECK_BOTH if refusal.message == "Authenticate" else None
        return (
            f"The upstream does not accept the Auth Token in use for account {call.account}: it"
            " reaches its own account and that account's subaccounts."
        )
    if call.family is Source.CORE and not _proves(call, credential):
        return (
            "The upstream does not let the API key in use read this account: standard keys read no"
            " accounts, main keys their own and the list, an Auth Token its subaccounts as well."
        )
    return (
        f"The upstream does not accept the API key in use for account {call.account}: a key reaches"
        " only the account that it was made in. Subaccounts have keys of their own, and are reached"
        " with the Auth Token of their parent."
    )


def _proves(call: Call, credential: Credential) -> bool:
    """Whether a success of `call` proves that the credential is good for the call's account."""
    if call.family is Source.CATALOG:
        # Its paths name no account: what answers belongs to whoever's credentials these are.
        return credential.username == call.account
    return call.route.startswith(_ACCOUNT) and (
        not credential.is_key or call.route.startswith("/", len(_ACCOUNT))
    )


def _is_about(call: Call, credential: Credential, body: bytes) -> bool:
    """Whether an answer says itself that it is the upstream's, and about the call's account.

    The catalog's lists need not name it; they are of whoever's credentials these are.
    """
    is_list = call.family is Source.CATALOG and not credential.is_key and b'"meta"' in body
    return is_list or call.account.encode() in body


def takes_back(call: Call, credential: Credential, refusal: UpstreamDenied) -> bool:
    """Whether a refusal says that the credential is not good for the call's account.

    Others say less: the catalog is closed to this account, or a standard key reads no accounts.
    """
    says = call.family is Source.CATALOG or _proves(call, credential)
    return says and _not_accepted(refusal)


def _not_accepted(refusal: UpstreamDenied) -> bool:
    return refusal.status == _UNAUTHORIZED or refusal.upstream_code in {DENIED, INACTIVE}
