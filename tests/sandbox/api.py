"""Short forms of the requests these tests make."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from tests.support import loopback
from tests.support.sandbox_in_thread import RunningSandbox, SandboxAccount

Params = Mapping[str, str | int | list[str]]


@dataclass(frozen=True, slots=True)
class Api:
    """The number API with one account's credentials."""

    client: httpx.Client
    account: SandboxAccount

    @property
    def base(self) -> str:
        """Path of the account in the 2010 API."""
        return f"/2010-04-01/Accounts/{self.account.sid}"

    def get(self, path: str, params: Params | None = None) -> httpx.Response:
        """A GET, not checked."""
        return self.client.get(path, params=params)

    def post(self, path: str, data: Mapping[str, str] | None = None) -> httpx.Response:
        """A POST of a form, not checked."""
        return self.client.post(path, data=data or {})

    def search(self, path: str = "US/Local", **params: str | int) -> list[dict[str, Any]]:
        """Numbers of an AvailablePhoneNumbers search."""
        response = self.get(f"{self.base}/AvailablePhoneNumbers/{path}.json", params)
        assert response.status_code == 200, response.text
        found: list[dict[str, Any]] = response.json()["available_phone_numbers"]
        return found

    def items(self, resource: str = "ActiveNumbers", params: Params | None = None) -> list[Any]:
        """All items of a catalog list, every page."""
        url, found = f"/Numbers/{resource}", []
        query: Params | None = {"PageSize": 1000, **(params or {})}
        while url:
            response = self.client.get(url, params=query)
            assert response.status_code == 200, response.text
            found += response.json()["items"]
            url, query = response.json()["meta"]["next_page_url"], None
        return found

    def owned(self) -> list[dict[str, Any]]:
        """All IncomingPhoneNumbers, every page."""
        url, found = f"{self.base}/IncomingPhoneNumbers.json?PageSize=1000", []
        while url:
            response = self.client.get(url)
            assert response.status_code == 200, response.text
            found += response.json()["incoming_phone_numbers"]
            url = response.json()["next_page_uri"]
        return found

    def available(self, path: str = "US/Local", **params: str | int) -> str:
        """A number that can be bought."""
        number: str = self.search(path, PageSize=1, **params)[0]["phone_number"]
        return number


@contextmanager
def acting_as(sandbox: RunningSandbox, account: SandboxAccount) -> Iterator[Api]:
    """The number API with an account's credentials."""
    with loopback.Client(base_url=sandbox.url, auth=account.auth) as client:
        yield Api(client, account)


def refusal(response: httpx.Response) -> tuple[int, int]:
    """HTTP status and error code of a refusal, whose body must be complete."""
    body = response.json()
    assert set(body) >= {"code", "message", "more_info", "status"}, body
    assert body["status"] == response.status_code
    assert body["message"]
    return response.status_code, body["code"]
