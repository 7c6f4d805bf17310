"""The table as a picture: one group of bars for each row that all proxies have a figure in, written as SVG by hand."""

from __future__ import annotations

from html import escape

from benchmarks.contenders import DIRECT, GATEWAY, GO, NGINX
from benchmarks.table import Row, Section

COLOURS = {DIRECT: "#9aa0a6", NGINX: "#4c9a6a", GO: "#3f8fbf", GATEWAY: "#d9663b"}
WIDTH, LABEL_WIDTH, BAR_WIDTH = 860, 330, 400
BAR, GAP = 14, 16


def plot(sections: list[Section], footer: str) -> str:
    """An SVG; each row has its own scale, its longest bar as long as any."""
    parts: list[str] = []
    y = 64
    for section in sections:
        rows = [row for row in section.rows if len(row.figures) > 1]
        if not rows:
            continue
        parts.append(f'<text x="20" y="{y + 4}" class="title">{escape(section.title)}</text>')
        y += 18
        for row in rows:
            drawn, y = _row(row, y)
            parts += drawn
        y += 8
    parts.append(f'<text x="20" y="{y + 10}" class="small">{escape(footer)}</text>')
    return _document(y + 28, parts)


def _row(row: Row, y: int) -> tuple[list[str], int]:
    longest = max((abs(value) for value in row.figures.values()), default=0) or 1.0
    parts = [f'<text x="20" y="{y + 11}">{escape(row.what)}</text>']
    for name, value in row.figures.items():
        width = max(1.0, abs(value) / longest * BAR_WIDTH)
        shown = f"{_shown(value)} {escape(row.unit)}"
        parts.append(
            f'<rect x="{LABEL_WIDTH}" y="{y}" width="{width:.1f}" height="{BAR - 3}" fill="{COLOURS[name]}"/>'
            f'<text x="{LABEL_WIDTH + width + 6:.1f}" y="{y + 10}" class="small">{shown}</text>'
        )
        y += BAR
    return parts, y + GAP - BAR // 2


def _shown(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _document(height: int, parts: list[str]) -> str:
    legend = "".join(
        f'<rect x="{LABEL_WIDTH + 100 * i}" y="22" width="11" height="11" fill="{colour}"/>'
        f'<text x="{LABEL_WIDTH + 16 + 100 * i}" y="32">{name}</text>'
        for i, (name, colour) in enumerate(COLOURS.items())
    )
    style = (
        "text{font:12px system-ui,sans-serif;fill:#222}.title{font-weight:600}.small{font-size:10.5px;fill:#555}"
        "svg{background:#fff}"
    )
    body = "\n".join([legend, *parts])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}">\n'
        f'<style>{style}</style>\n<rect width="100%" height="100%" fill="#fff"/>\n{body}\n</svg>\n'
    )
