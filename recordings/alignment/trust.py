"""How far to trust the times of each sentence of a text, 0 to 1. Pure.

Words of a wrong text are heard by chance too, but few in a sentence, and few in those beside it.
"""

from collections.abc import Sequence

LEAST = 0.4  # below, a sentence counts as not found: of 21 that nobody said one came so high
BESIDE = 2  # sentences on either side
ALONE = 2 / 3  # of the trust is left where nothing beside it was found; all of it from half on


def confidences(heard: Sequence[float], spoken: Sequence[int]) -> list[float]:
    """Return the trust in each sentence, by how many of its words there are and were heard.

    That is the share heard, less if they are few, and less if the sentences beside it are lost.
    """
    shares = [some / count if count else None for some, count in zip(heard, spoken, strict=True)]
    return [
        round((share or 0) * (1 - 0.5**count) * _company(shares, at), 2)
        for at, (share, count) in enumerate(zip(shares, heard, strict=True))
    ]


def _company(shares: Sequence[float | None], at: int) -> float:
    beside = [*shares[max(0, at - BESIDE) : at], *shares[at + 1 : at + 1 + BESIDE]]
    known = [share for share in beside if share is not None]
    if not known:
        return 1.0
    return min(1.0, ALONE * (1 + sum(known) / len(known)))
