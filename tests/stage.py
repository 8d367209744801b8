"""What the journeys play on: one browser and one desk for all of a worker's."""

from contextlib import ExitStack, contextmanager

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.browser import ARGUMENTS, CHROMIUM
from tests.desk import Desk

GUARD_S = 15


class Stage:
    """Sets up what is asked for, once; `clear` takes it all down."""

    def __init__(self):
        self.standing, self.things = ExitStack(), {}

    def get(self, name, make):
        if name not in self.things:
            self.things[name] = self.standing.enter_context(make())
        return self.things[name]

    def clear(self):
        self.things.clear()
        self.standing.close()


stage = Stage()


@contextmanager
def running_chromium():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def running_desk(folder):
    desk = Desk(folder, PAUSE_GUARD_S=str(GUARD_S))
    yield desk
    desk.stop()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item, nextitem):
    """Clear the stage after a worker's last journey: the ORM does not work where a browser is."""
    if nextitem is None or nextitem.get_closest_marker("journey") is None:
        stage.clear()


@pytest.fixture(scope="module")
def chromium():
    return stage.get("chromium", running_chromium)


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """The desk that the journeys share; each takes numbers of its own."""
    return stage.get("desk", lambda: running_desk(tmp_path_factory.mktemp("desk")))


@pytest.fixture
def sign_in(chromium, desk):
    """Return a function that opens a page as somebody; none may print a word to the console."""
    contexts, said = [], []

    def sign_in(name):
        context = chromium.new_context(base_url=desk.web)
        contexts.append(context)
        context.add_cookies(desk.cookies(name))
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto("/")
        expect(page.get_by_role("heading", level=1)).to_be_attached()
        return page

    yield sign_in
    for context in contexts:
        context.close()
    assert said == []


@pytest.fixture
def page(sign_in):
    """A page signed in as the supervisor."""
    return sign_in("sam")
