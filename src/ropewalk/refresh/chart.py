"""Time to patch as a picture: which share of the renewals was done after how long. SVG of our own, the same for the same times.

Colours follow the reader's light or dark setting; nothing is loaded from elsewhere.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from ropewalk.refresh.patches import Patch, spread

_WIDTH, _HEIGHT = 860, 420
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 34, 100, 52
_TICKS = (
    (10, "10 s"),
    (60, "1 min"),
    (600, "10 min"),
    (3600, "1 h"),
    (6 * 3600, "6 h"),
    (86400, "1 day"),
    (7 * 86400, "7 days"),
    (30 * 86400, "30 days"),
)
"""From where the axis begins to where it ends at least: vendors of images promise critical fixes within 7 or 30 days."""
_SHARES = (0, 25, 50, 75, 90, 100)
_STYLE = """\
svg{color-scheme:light dark}
.ground{fill:#fff}text{fill:#1f2328;font:13px system-ui,sans-serif}.title{font-size:17px;font-weight:600}
.small{fill:#59636e;font-size:12px}.grid{stroke:#d1d9e0;stroke-width:1}.axis{stroke:#59636e;stroke-width:1}
.line{fill:none;stroke-width:2.5}.published{stroke:#0969da}.deployed{stroke:#bc4c00;stroke-dasharray:7 4}
@media(prefers-color-scheme:dark){
.ground{fill:#0d1117}text{fill:#e6edf3}.small{fill:#9198a1}.grid{stroke:#3d444d}.axis{stroke:#9198a1}
.published{stroke:#58a6ff}.deployed{stroke:#f0883e}}
"""


@dataclass(frozen=True, slots=True)
class _Scale:
    """Where a time and a share are in the picture; times grow by factors."""

    longest: int

    def x(self, seconds: float) -> float:
        ends = math.log(_TICKS[0][0]), math.log(self.longest)
        at = (math.log(max(seconds, _TICKS[0][0])) - ends[0]) / (ends[1] - ends[0])
        return round(_LEFT + at * (_WIDTH - _LEFT - _RIGHT), 1)

    def y(self, share: float) -> float:
        return round(_HEIGHT - _BOTTOM - share / 100 * (_HEIGHT - _TOP - _BOTTOM), 1)


def draw_patches(found: Sequence[Patch], title: str) -> str:
    """Draw renewals: a step upwards for each, at its time from release to publication, and to deployment.

    Args:
        found: The renewals.
        title: What they are.

    Returns:
        An SVG file's text.
    """
    published = sorted(one.to_published for one in found)
    deployed = sorted(one.to_deployed for one in found if one.to_deployed is not None)
    scale = _Scale(max((*published, *deployed, _TICKS[-1][0])))
    body = [
        f'<rect class="ground" width="{_WIDTH}" height="{_HEIGHT}"/>',
        f'<text class="title" x="{_LEFT}" y="28">{escape(title)}</text>',
        *_grid(scale),
        *_series(scale, published, "published", 54, len(found)),
        *_series(scale, deployed, "deployed", 76, len(found)),
    ]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img"'
    label = f"{escape(title)}: {_told(published, 'published', len(found))}"
    lines = (
        f'{head} aria-label="{escape(label)}">',
        f"<title>{escape(label)}</title>",
        f"<style>{_STYLE}</style>",
        *body,
    )
    return "\n".join((*lines, "</svg>")) + "\n"


def _grid(scale: _Scale) -> list[str]:
    found = []
    for share in _SHARES:
        y = scale.y(share)
        kind = "grid" if share else "axis"
        found.append(f'<line class="{kind}" x1="{_LEFT}" y1="{y}" x2="{_WIDTH - _RIGHT}" y2="{y}"/>')
        found.append(f'<text class="small" x="{_LEFT - 8}" y="{y + 4}" text-anchor="end">{share} %</text>')
    for seconds, name in _TICKS:
        x = scale.x(seconds)
        found.append(f'<line class="grid" x1="{x}" y1="{_TOP}" x2="{x}" y2="{_HEIGHT - _BOTTOM}"/>')
        found.append(f'<text class="small" x="{x}" y="{_HEIGHT - _BOTTOM + 20}" text-anchor="middle">{name}</text>')
    middle = (_LEFT + _WIDTH - _RIGHT) // 2
    words = "after the archive's release file that brought the fix (logarithmic)"
    return [*found, f'<text class="small" x="{middle}" y="{_HEIGHT - 10}" text-anchor="middle">{words}</text>']


def _series(scale: _Scale, times: Sequence[int], name: str, y: int, all_of_them: int) -> list[str]:
    """Draw one line of steps and its words in the legend; of nothing, the words alone."""
    mark = f'<line class="line {name}" x1="{_LEFT}" y1="{y}" x2="{_LEFT + 28}" y2="{y}"/>'
    words = f'<text x="{_LEFT + 36}" y="{y + 4}">{escape(_told(times, name, all_of_them))}</text>'
    if not times:
        return [mark, words]
    path = [f"M{scale.x(times[0])} {scale.y(0)}"]
    for number, seconds in enumerate(times, start=1):
        path += [f"H{scale.x(seconds)}", f"V{scale.y(100 * number / all_of_them)}"]
    steps = " ".join((*path, f"H{_WIDTH - _RIGHT}"))
    return [mark, words, f'<path class="line {name}" d="{steps}"/>']


def _told(times: Sequence[int], name: str, all_of_them: int) -> str:
    found = spread(times)
    if found is None:
        return f"none {name} yet"
    middle, most, last = (human_time(seconds) for seconds in (found.p50, found.p90, found.longest))
    return f"{name}: {found.count} of {all_of_them}, median {middle}, 90 % {most}, last {last}"


def human_time(seconds: float) -> str:
    """Return a span of time as people read it: ``48 s``, ``4 min 12 s``, ``3 h 5 min``, ``2 d 4 h``."""
    whole = round(seconds)
    for size, unit, below, lesser in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = whole % size // below
            return f"{whole // size} {unit}" + (f" {rest} {lesser}" if rest else "")
    return f"{whole} s"
