"""The whole desk as `make run` starts it, in the stage's folder."""

import base64
import json
from functools import cached_property
from typing import Any

import requests
from nacl.signing import SigningKey

from dashboard.bench.databases import Database
from dashboard.bench.stage import Broken, Stage

LIVE = "line IN ('ringing', 'answered', 'bridged', 'held')"


class Desk:
    """A running demo, and its levers."""

    def __init__(self, stage: Stage, *, is_quiet: bool) -> None:
        self.stage = stage
        self.database = Database(f"sqlite:///{stage.folder / 'tapeline.sqlite3'}")
        quiet = {"SIMULATOR_QUIET": "1"} if is_quiet else {}
        self.process = stage.python(
            *("desk", "manage.py", "run", "--end-with-parent"),
            environment=stage.environment(**quiet),
        )
        told = stage.folder / "run.json"
        stage.wait("the desk is ready", told.exists, "desk")
        addresses: dict[str, str] = json.loads(told.read_text())
        self.web, self.simulator = addresses["web"], addresses["simulator"]

    @cached_property
    def key(self) -> SigningKey:
        """The key with which the simulator signs."""
        file = self.stage.folder / "demo" / "signing.key"
        return SigningKey(base64.b64decode(file.read_text()))

    def count_live(self) -> int:
        """Return how many calls the desk shows as live."""
        sql = f"SELECT count(DISTINCT conversation) FROM calls_call WHERE {LIVE}"  # noqa: S608
        return int(str(self.database.rows(sql)[0][0]))

    def check(self) -> None:
        """Raise Broken if the desk ended by itself."""
        if self.process.poll() is not None:
            raise Broken(f"the desk ended\n{self.stage.last_words('desk')}")

    def lever(self, method: str, path: str, **body: object) -> Any:
        """Pull a lever of the simulator and return its answer."""
        url = f"{self.simulator}/_simulator/{path}"
        answer = requests.request(method, url, json=body or None, timeout=10)
        answer.raise_for_status()
        return answer.json()

    def sign_in(self, username: str) -> requests.Session:
        """Return the browser of one of the demo's people, signed in. Raises Broken."""
        people = json.loads((self.stage.folder / "demo-people.json").read_text())
        password = next(each["password"] for each in people if each["username"] == username)
        browser = requests.Session()
        page = f"{self.web}/login/"
        token = csrf_token(browser.get(page, timeout=10).text)
        typed = {"username": username, "password": password, "csrfmiddlewaretoken": token}
        answer = browser.post(page, data=typed, allow_redirects=False, timeout=10)
        if answer.status_code != 302:
            raise Broken(f"{username} cannot sign in: status {answer.status_code}")
        return browser


def csrf_token(page: str) -> str:
    """Return the token in the first form of a page. Raises Broken if there is none."""
    _, found, rest = page.partition('name="csrfmiddlewaretoken" value="')
    if not found:
        raise Broken("the page has no form with a CSRF token")
    return rest.partition('"')[0]
