"""How people read the name that a sound has at Telnyx; pure, for rows make no queries."""

import re

OURS = re.compile(r"tapeline-(.+)-[0-9a-f]{12}")


def plain(medium: str) -> str:
    """Return tapeline-on-hold-0123456789ab as "on hold"; any other name as it is."""
    ours = OURS.fullmatch(medium)
    return ours[1].replace("-", " ") if ours else medium
