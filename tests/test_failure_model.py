"""Every fault of docs/failure-model.md names tests that exist."""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
PAGE = (TESTS.parent / "docs" / "failure-model.md").read_text(encoding="utf-8")
ROWS = [
    line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| fault")
]
PROOF = re.compile(r"`(test_\w+\.py)::(test_\w+)`")


def test_the_page_has_faults():
    assert len(ROWS) > 30


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip())
def test_a_fault_names_what_is_done_what_is_seen_and_a_test_that_exists(row):
    fault, done, seen, proof = (cell.strip() for cell in row.strip("|").split("|"))
    assert all((fault, done, seen))
    proofs = PROOF.findall(proof)
    assert proofs
    assert PROOF.sub("", proof).strip() == ""
    for file, name in proofs:
        assert re.search(rf"^def {name}\(", (TESTS / file).read_text("utf-8"), re.MULTILINE)
