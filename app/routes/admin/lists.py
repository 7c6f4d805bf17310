"""What lists of the admin API share: a page of them by keyset."""

from __future__ import annotations

from app.core.said.shapes import Field, Text, Whole

PAGE = 50
MOST = 500

PAGED: dict[str, Field] = {
    "limit": Whole(PAGE, 1, MOST, meaning="How many at most"),
    "after": Text(meaning="What the answer before said as its next"),
}
"""What the query of any list may say."""
Q = Text(meaning="Only those that speak of it; capitals count for nothing")
COUNT = Whole(meaning="Of all that match")
NEXT = Text(is_null=True, meaning="Where the next page begins; null: this was the last")
