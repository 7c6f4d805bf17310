"""What came out: rows of figures, the thresholds they are held against, and the table."""

from __future__ import annotations

from dataclasses import dataclass, field

from benchmarks.contenders import DIRECT, GATEWAY, GO, NGINX

COLUMNS = (DIRECT, NGINX, GO, GATEWAY)
AIM, MUST, MISSED = "aim met", "must met", "MISSED"


@dataclass(frozen=True)
class Limit:
    """What the gateway's figure must reach and what it aims at: so many times Go's figure, or an absolute one."""

    must: float
    aim: float
    relative: bool = True
    higher_is_better: bool = False

    def verdict(self, figure: float, reference: float | None) -> str:
        """Raises nothing: without a reference a relative limit cannot be judged, and the verdict says so."""
        if self.relative and reference is None:
            return "not judged"
        scale = reference if self.relative and reference is not None else 1.0
        for level, text in ((self.aim, AIM), (self.must, MUST)):
            met = figure >= level * scale if self.higher_is_better else figure <= level * scale
            if met:
                return text
        return MISSED

    def text(self, level: float, unit: str) -> str:
        sign = "≥" if self.higher_is_better else "≤"
        return f"{sign} {level:g} × Go" if self.relative else f"{sign} {level:g} {unit}"


@dataclass
class Row:
    what: str
    unit: str
    figures: dict[str, float] = field(default_factory=dict)
    """By contender."""
    limit: Limit | None = None
    note: str = ""

    @property
    def verdict(self) -> str:
        if self.limit is None:
            return ""
        if GATEWAY not in self.figures:
            return "no figure"
        return self.limit.verdict(self.figures[GATEWAY], self.figures.get(GO))

    @property
    def ratio(self) -> float | None:
        """The gateway's figure over Go's."""
        if not self.figures.get(GO) or GATEWAY not in self.figures:
            return None
        return self.figures[GATEWAY] / self.figures[GO]


@dataclass
class Section:
    """The rows of one case, or why there are none."""

    case: str
    title: str
    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    skipped: str = ""


def render(sections: list[Section]) -> str:
    """The table as text."""
    heads = ["", *COLUMNS, "gateway/Go", "must", "aim", ""]
    lines: list[list[str]] = []
    for section in sections:
        lines.append([section.title.upper()])
        if section.skipped:
            lines.append([f"  skipped: {section.skipped}"])
        for row in section.rows:
            limit = row.limit
            lines.append(
                [
                    f"  {row.what}, {row.unit}",
                    *[_number(row.figures.get(column)) for column in COLUMNS],
                    f"{row.ratio:.2f}" if row.ratio is not None else "",
                    limit.text(limit.must, row.unit) if limit else "",
                    limit.text(limit.aim, row.unit) if limit else "",
                    row.verdict,
                ]
            )
            if row.note:
                lines.append([f"    {row.note}"])
        lines += [[f"    {note}"] for note in section.notes]
    widths = [max(len(line[i]) for line in [heads, *lines] if len(line) > 1) for i in range(len(heads))]
    return "\n".join(_aligned(line, widths) for line in [heads, *lines])


def _aligned(cells: list[str], widths: list[int]) -> str:
    if len(cells) == 1:
        return cells[0]
    first, *others = [
        cell.ljust(width) if i in (0, len(cells) - 1) else cell.rjust(width)
        for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return "  ".join([first, *others]).rstrip()


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
