"""Refusals of the number API and their bodies.

Exception
├── ApiError        one refusal: error code, HTTP status, message
└── SandboxError    (settings.py) the sandbox cannot start
"""

from typing import Any

_TRIAL = (
    "Trial accounts are allowed only one Twilio number. "
    "To purchase additional numbers, please upgrade your account."
)
# Code -> (HTTP status, message). A status of None means that no source states one: see
# `Switches.unverified_error_status`. Codes and titles are Twilio's error dictionary.
_CODES: dict[int, tuple[int | None, str]] = {
    20001: (400, "Missing or invalid parameter"),
    20002: (None, "Invalid FriendlyName"),
    20003: (401, "Authenticate"),
    20004: (405, "Method not allowed"),
    20005: (403, "Account is not active"),
    20007: (None, "Page size too large"),
    20008: (403, "Resource not accessible with Test Account Credentials"),
    20404: (404, "The requested resource was not found"),
    20409: (409, "Conflict"),
    20413: (413, "Request Entity Too Large"),
    20422: (None, "Invalid Parameter"),
    20423: (None, "Invalid SID"),
    20429: (429, "Too Many Requests"),
    20500: (500, "Internal Server Error"),
    20503: (503, "Service is unavailable, please try again"),
    21402: (None, "Invalid Url"),
    21403: (None, "Invalid Method: must be GET or POST"),
    21404: (None, _TRIAL),
    21405: (None, "Cannot set VoiceFallbackUrl without setting VoiceUrl"),
    21406: (None, "Cannot set SmsFallbackUrl without setting SmsUrl"),
    21420: (None, "ApplicationSid is not accessible"),
    21421: (400, "PhoneNumber is invalid"),
    21422: (400, "PhoneNumber is not available"),
    21451: (None, "Invalid area code"),
    21452: (400, "No phone numbers found"),
    21457: (None, "AreaCode is not supported here: send PhoneNumber"),
    21458: (None, "PhoneNumber is not of this type"),
    21470: (None, "Invalid AccountSid"),
    21471: (None, "Account does not exist"),
    21472: (None, "Account is not active"),
    21473: (None, "The target account is not a parent or subaccount of the current owner"),
    21474: (None, "Only the parent account may transfer this phone number"),
    21481: (None, "Invalid PageToken"),
    21615: (None, "Phone Number Requires a Local Address"),
    21631: (400, "Phone Number Requires an Address but the 'AddressSid' parameter was empty"),
    21634: (None, "The phone number is in use for emergency calling"),
    21649: (400, "Bundle required and not provided"),
    21650: (400, "Phone Number Requires a Verified Identity Document"),
    21651: (None, "Document does not satisfy the regulatory requirement"),
}


class ApiError(Exception):
    """The API refuses a request.

    Args:
        code: Twilio error code.
        message: Said instead of the code's usual message.
        status: HTTP status instead of the code's usual one.
        detail: The additional sentence that authentication failures carry.
    """

    def __init__(
        self,
        code: int,
        message: str | None = None,
        *,
        status: int | None = None,
        detail: str | None = None,
    ) -> None:
        usual_status, usual_message = _CODES[code]
        self.code = code
        self.message = message or usual_message
        self.detail = detail
        self._status = status if status is not None else usual_status
        super().__init__(self.message)

    def status(self, unverified: int) -> int:
        """HTTP status; `unverified` where no source states one."""
        return unverified if self._status is None else self._status

    def body(self, status: int) -> dict[str, Any]:
        """JSON body as the 2010 API and the catalog send it."""
        # Recorded 503 answers point to a page named after the status, not the code.
        page = status if self.code == 20503 else self.code  # noqa: PLR2004
        body: dict[str, Any] = {
            "code": self.code,
            "message": self.message,
            "more_info": f"https://www.twilio.com/docs/errors/{page}",
            "status": status,
        }
        if self.detail is not None:
            body["detail"] = self.detail
        return body


def not_found(path: str, *, status: int | None = None) -> ApiError:
    """Error 20404 for a path, worded as the real API does."""
    return ApiError(20404, f"The requested resource {path} was not found", status=status)


def authentication_failed(reason: str | None = None) -> ApiError:
    """Error 20003, with the reason newer answers add."""
    return ApiError(
        20003,
        f"Authentication Error - {reason}" if reason else None,
        detail="Your AccountSid or AuthToken was incorrect.",
    )
