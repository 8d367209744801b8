"""The library's filters: the query of the address, or a sentence on what is odd.

    read(request.GET) -> Filters, or Invalid        chips(request.GET)        address(request.GET)

Everything is in the address, so a list can be shared, and an unknown parameter is never ignored.
"""

from recordings.filters.chips import Chip, chips
from recordings.filters.chosen import Filters
from recordings.filters.parameters import (
    CURSOR,
    LABELS,
    PAUSED,
    SORTS,
    Invalid,
    address,
    cursor,
    read,
)

__all__ = [
    "CURSOR",
    "LABELS",
    "PAUSED",
    "SORTS",
    "Chip",
    "Filters",
    "Invalid",
    "address",
    "chips",
    "cursor",
    "read",
]
