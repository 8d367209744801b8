"""Telnyx's paths under /v2."""

from simulator.api import account, calls, media, recordings

ROUTES = [*calls.ROUTES, *recordings.ROUTES, *media.ROUTES, *account.ROUTES]
