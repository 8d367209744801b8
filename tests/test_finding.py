"""Search on the board finds numbers however they are spelt, and names; the browser agrees."""

import pytest

from calls import finding
from calls.models import Call

pytestmark = pytest.mark.django_db  # for the names that numbers have

LEG = Call(from_number="+12125550100", to_number="+493012345678", caller_name="Amara Okafor")
OTHER = Call(from_number="sip:desk42@pbx.example", to_number="+18005550101")
HAYSTACK = "12125550100|493012345678|amara okafor|sip:desk42@pbx.example|18005550101"
CASES = [
    ("+12125550100", True),
    ("(212) 555-0100", True),
    ("212.555.0100", True),
    ("001 212 555 0100", True),
    ("0100", True),
    ("030 12345678", True),
    ("okafor amara", True),
    ("OKA", True),
    ("desk42", True),
    ("pbx.example", True),
    ("5550102", False),
    ("amara smith", False),
    ("0", True),
    ("| okafor", True),
]


@pytest.mark.parametrize(("typed", "is_found"), CASES)
def test_a_call_is_found_by_numbers_and_names(typed, is_found):
    assert finding.finds(typed, HAYSTACK) is is_found


def test_a_call_is_found_by_its_numbers_names_and_addresses():
    assert finding.haystack([LEG, OTHER]) == HAYSTACK


def test_what_one_call_says_does_not_run_into_the_next():
    assert not finding.finds("0100493", finding.haystack([LEG]))
    assert not finding.finds("01004930", finding.haystack([LEG]))
