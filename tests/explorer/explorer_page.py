"""The explorer as a person sees it: tabs, editors, the Run button, the views of a result."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Dialog, Locator, Page, Request, Route, expect

SELECT_ALL = "Control+a"
EXECUTE = "Execute query (Ctrl-Enter)"
"""The name of the Run button, while nothing runs."""
NOTED = 150
"""Milliseconds: longer than GraphiQL waits before it takes note of what an editor holds."""
READY = 20_000
"""Milliseconds for the page to become usable on a busy machine."""


class ExplorerPage:
    """Drives one explorer page and notes everything that goes wrong in it."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.problems: list[str] = []
        """Console errors, exceptions, refusals by the policy, failed requests."""
        self.requested: list[str] = []
        """Every URL that the page asked for."""
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("dialog", self._on_dialog)
        page.on("request", lambda request: self.requested.append(request.url))
        page.on("websocket", lambda socket: self.requested.append(socket.url))
        page.add_init_script(
            "addEventListener('securitypolicyviolation', (event) =>"
            " console.error('refused by the policy: ' + event.blockedURI))"
        )

    def open(self) -> None:
        """Load the page and wait until an operation can be typed and run."""
        self.page.goto(self.url)
        expect(self.operation_editor.locator(".view-line").first).to_be_visible(timeout=READY)
        expect(self.run_button).to_be_enabled()

    @property
    def run_button(self) -> Locator:
        """Runs the operation, or stops it."""
        return self.page.locator("button.graphiql-execute-button")

    @property
    def operation_editor(self) -> Locator:
        """The editor that holds the operation."""
        return self.page.locator(".graphiql-query-editor .graphiql-editor")

    @property
    def status(self) -> Locator:
        """The line about the last answer."""
        return self.page.locator(".results-bar .status")

    @property
    def response(self) -> Locator:
        """The pane that holds the answer as JSON."""
        return self.page.locator(".graphiql-response .result-window")

    @property
    def dialog(self) -> Locator:
        """The question before something is done, and its outcome."""
        return self.page.get_by_role("dialog")

    @property
    def outcome(self) -> Locator:
        """What the dialog tells of the outcome."""
        return self.dialog.get_by_role("status")

    @property
    def tidings(self) -> Locator:
        """What is told of deeds whose dialog is closed."""
        return self.page.get_by_role("list", name="What became of it")

    @property
    def grid(self) -> Locator:
        """The table of a result."""
        return self.page.get_by_role("grid")

    def tab(self, name: str) -> None:
        """Bring the tab of that operation to the front."""
        button = self.page.locator(".graphiql-tab-button", has_text=name)
        # Not with the mouse: tabs move while one of them learns its name.
        button.press("Enter")
        expect(button).to_have_attribute("aria-selected", "true")

    def new_tab(self, operation: str) -> None:
        """Open a tab and put `operation` in its editor."""
        self.page.get_by_role("button", name="New tab").click()
        self.type_operation(operation)
        self.take_note()  # A tab has its name a moment after what it holds.

    def type_operation(self, operation: str) -> None:
        """Replace the operation by `operation`."""
        self.operation_editor.locator(".view-lines").click()
        self.page.keyboard.press(SELECT_ALL)
        self.page.keyboard.insert_text(operation)

    def put_operation(self, operation: str) -> None:
        """Open a tab with `operation`, as it stands (typing closes braces)."""
        self.page.get_by_role("button", name="New tab").click()
        self.set_text("operation", operation)

    def set_credentials(self, username: str, password: str) -> None:
        """Replace what the headers editor holds, as pasting would (typing closes quotes)."""
        headers = json.dumps({"Authorization": authorization(username, password)})
        self.set_text("headers", headers)

    def set_text(self, editor: str, text: str) -> None:
        """Replace what the variables or headers editor holds, and let the page take note of it."""
        self.page.evaluate(f"(text) => {_model(editor)}.setValue(text)", text)
        self.take_note()

    def take_note(self, after: int = NOTED) -> None:
        """Let the page do what it does within so many milliseconds of what was done to it.

        By its own clock: what was to happen earlier has happened, however slow the machine is.
        """
        self.page.evaluate("(after) => new Promise((then) => setTimeout(then, after))", after)

    def bring_credentials(self, username: str, secret: str, account: str | None = None) -> None:
        """Fill in the form of a gateway that knows no sandbox."""
        self.page.get_by_text("Credentials", exact=True).click()
        self.page.get_by_label("Account SID or API key SID").fill(username)
        self.page.locator(".sign-in input[type=password]").fill(secret)
        if account:
            self.page.get_by_label("Account SID", exact=True).fill(account)
        self.page.get_by_role("button", name="Use them").click()
        self.wait_for_text("headers", lambda text: "Basic " in text)

    def editor_text(self, name: str) -> str:
        """What the variables or headers editor holds, or that of the response."""
        text: str = self.page.evaluate(f"{_model(name)}.getValue()")
        return text

    def wait_for_text(self, editor: str, accept: Callable[[str], bool]) -> str:
        """Wait until the editor holds a text that `accept` accepts; return it."""
        for _ in range(READY // 25):
            text = self.editor_text(editor)
            if accept(text):
                return text
            self.page.wait_for_timeout(25)
        message = f"the {editor} editor still holds {text!r}"
        raise AssertionError(message)

    def run(self, start: Callable[[], None] | None = None) -> dict[str, Any]:
        """Run the operation; return the body of the answer, once the page shows it."""
        with self.page.expect_response(lambda response: is_traced(response.request)) as caught:
            (start or self.run_button.click)()
        body: dict[str, Any] = caught.value.json()
        expect(self.status).to_contain_text(f"{caught.value.status} ·")
        return body

    def note_runs(self) -> list[Request]:
        """Return a list of the runs that are sent from now on."""
        noted: list[Request] = []

        def note(request: Request) -> None:
            if is_traced(request):
                noted.append(request)

        self.page.on("request", note)
        return noted

    def row(self, phone_number: str) -> Locator:
        """The row of a number in the table."""
        cell = self.page.locator(f'[role=gridcell][title="{phone_number}"]')
        return self.grid.get_by_role("row").filter(has=cell)

    def deed(self, phone_number: str) -> Locator:
        """The button in the row of a number."""
        return self.row(phone_number).locator(".cell-action button")

    def open_deed(self, phone_number: str) -> Locator:
        """Press the button in the row of a number; return the dialog once it knows the account."""
        self.deed(phone_number).click()
        expect(self.dialog).to_contain_text("AC")
        return self.dialog

    def hold(self, text: str, *, plans: bool = False) -> list[Route]:
        """Keep requests whose body holds `text` from being sent; return those that are kept.

        Those for plans are sent, unless it is these that are to be held.
        """
        held: list[Route] = []

        def keep(route: Route, request: Request) -> None:
            is_plan = "plan" in request.headers.get("x-gateway-explain", "")
            if text in (request.post_data or "") and is_plan == plans:
                held.append(route)
            else:
                route.fallback()

        self.page.route("**/graphql", keep)
        return held

    def let_come(self, route: Route, answer: object = None) -> None:
        """Let the answer to a request that was held come, and the page make of it what it will.

        Args:
            route: of the request.
            answer: comes in place of the gateway's.
        """
        with self.page.expect_request_finished(lambda request: request == route.request):
            if answer is None:
                route.continue_()
            else:
                route.fulfill(json=answer)
        self.settle()

    def settle(self) -> None:
        """Let the page draw what it knows: it has what came before the answer to another request."""
        self.page.evaluate(
            """async () => {
              await (await fetch("/healthz")).text();
              await new Promise((then) => requestAnimationFrame(() => requestAnimationFrame(then)));
            }"""
        )

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait for something that only the test can see."""
        for _ in range(READY // 25):
            if condition():
                return
            self.page.wait_for_timeout(25)
        message = "it did not come to pass"
        raise AssertionError(message)

    def view(self, name: str) -> None:
        """Show the result as JSON, Table or Map."""
        self.page.locator(".results-bar .segmented label", has_text=name).click()

    def open_panel(self, title: str) -> Locator:
        """Open a panel beside the sidebar, unless it is open; return it."""
        button = self.page.locator(f'.graphiql-sidebar button[aria-label="Show {title}"]')
        if button.count():
            button.click()
        return self.page.locator(".graphiql-plugin")

    def screenshot(self, path: Path) -> None:
        """Write what is to be seen to a file."""
        path.parent.mkdir(exist_ok=True)
        self.page.screenshot(path=path)

    def foreign_requests(self) -> list[str]:
        """URLs that were asked for outside of the gateway."""
        home = urlsplit(self.url).netloc
        return [url for url in self.requested if urlsplit(url).netloc != home]

    def _on_console(self, message: Any) -> None:
        if message.type in {"error", "warning"}:
            self.problems.append(f"{message.type}: {message.text}")

    def _on_dialog(self, dialog: Dialog) -> None:
        self.problems.append(f"a native dialog: {dialog.message}")
        dialog.dismiss()


def _model(editor: str) -> str:
    file = {
        "operation": "operation.graphql",
        "variables": "variables.json",
        "headers": "request-headers.json",
        "response": "response.json",
    }[editor]
    return f"__MONACO.editor.getModels().find((model) => model.uri.path.endsWith('{file}'))"


def authorization(username: str, password: str) -> str:
    """Return the header with which somebody asks."""
    return f"Basic {base64.b64encode(f'{username}:{password}'.encode()).decode()}"


def is_traced(request: Request) -> bool:
    """Whether it asks for a trace of its upstream calls, as runs do and plans do not."""
    return request.method == "POST" and request.headers.get("x-gateway-explain") == "trace"
