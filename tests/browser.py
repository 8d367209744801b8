"""The machine's own Chromium, for tests that need a real browser; skipped, loudly, without one."""

import shutil

import pytest

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
]
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="NO CHROMIUM: apt-get install chromium"
)
in_a_browser = [pytest.mark.journey, needs_chromium]
