# SPDX-License-Identifier: Apache-2.0
"""The chart in the README: a bar for each row's median, as SVG 1.1 that is legible on light and on dark paper."""

from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

from tests.bench.figures import Figures

# In pixels, as all below.
WIDTH, NAMES, BAR, STEP = 760, 330, 16, 26
STYLE = """text { font: 13px system-ui, sans-serif; fill: #1f2328; }
.bar { fill: #8c959f; } .own { fill: #0969da; } .note { font-size: 11px; fill: #59636e; }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc; } .bar { fill: #656c76; } .own { fill: #4493f8; } .note { fill: #9198a1; }
}"""

GROUPS = range(1, 9)  # selsock, and what one might use instead
AGAIN = "beside it"  # in the name of a row that is there a second time, to compare


def charted(rows: Sequence[Figures]) -> list[Figures]:
    """The rows that have a bar.  Not those with bcrypt: it takes as long as it is told to, and all others would be short."""
    left_out = ("bcrypt", AGAIN)
    return [row for row in rows if row["group"] in GROUPS and not any(word in row["name"] for word in left_out)]


def note(facts: Mapping[str, object], rounds: int) -> str:
    """What the bars are, and on what."""
    where = (
        f"Python {facts['python']}, systemd {facts['systemd']}, Linux {facts['kernel']}, {facts['cores']} processors"
    )
    return f"A connection from connect to its end: median of {rounds}. {where}"


def chart(rows: Sequence[Figures], below: str) -> str:
    """One bar for each of ``rows``, as long as a connection takes, selsock's own in another colour; a note ``below``."""
    longest = max((row["p50_ms"] for row in rows), default=1)
    scale = (WIDTH - NAMES - 70) / longest
    height = STEP * (len(rows) + 1) + 8
    size = f'width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"'
    label = 'role="img" aria-label="Median time of a connection, in milliseconds"'
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" {size} {label}>', f"<style>{STYLE}</style>"]
    for at, row in enumerate(rows):
        lines += bar(row, 4 + at * STEP, row["p50_ms"] * scale)
    lines += [f'<text class="note" x="4" y="{height - 10}">{escape(below)}</text>', "</svg>"]
    return "\n".join(lines) + "\n"


def bar(row: Figures, top: int, length: float) -> list[str]:
    """A name, a bar and the milliseconds behind it."""
    kind = "own" if row["name"].startswith("selsock") else "bar"
    base = top + BAR - 3
    return [
        f'<text x="{NAMES - 8}" y="{base}" text-anchor="end">{escape(row["name"])}</text>',
        f'<rect class="{kind}" x="{NAMES}" y="{top}" width="{length:.1f}" height="{BAR}"/>',
        f'<text x="{NAMES + length + 6:.1f}" y="{base}">{row["p50_ms"]:.1f} ms</text>',
    ]
