"""The machine's own Chromium, for tests that need a real browser; skipped, loudly, without one."""

import shutil

import pytest

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
UNWANTED = (
    # Each window draws pages for its address field: a second of processor, for nobody.
    *("WebUIOmniboxPopup", "WebUIOmniboxAimPopup", "WebUIOmniboxFullPopup"),
    # Ours stand in place of playwright's own list; of that, what would bear on a test here.
    *("AvoidUnnecessaryBeforeUnloadCheckSync", "DestroyProfileOnBrowserClose", "HttpsUpgrades"),
    *("HttpsFirstBalancedModeAutoEnable", "MediaRouter", "OptimizationHints", "PaintHolding"),
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
    f"--disable-features={','.join(UNWANTED)}",
]
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="NO CHROMIUM: apt-get install chromium"
)
in_a_browser = [pytest.mark.journey, needs_chromium]
