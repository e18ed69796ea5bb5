"""The picture of time to patch."""

import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from ropewalk.refresh.chart import draw_patches, human_time
from ropewalk.refresh.history import Update
from ropewalk.refresh.patches import Patch

SSL = Update("libssl3", "amd64", "3.0-1", "3.0-2", security=True, released=0, suite="bookworm-security")
FAST = Patch("r/base", "r/base:1-r2", "sha256:a", "rebuilt", True, (SSL,), 0, 60, 240, 900)
SLOW = replace(FAST, published=8 * 86400, deployed=None)
SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0 s"),
        (59.6, "1 min"),
        (59.4, "59 s"),
        (252, "4 min 12 s"),
        (3600, "1 h"),
        (11_100, "3 h 5 min"),
        (187_200, "2 d 4 h"),
    ],
)
def test_times_are_told_as_people_do(seconds: float, expected: str) -> None:
    assert human_time(seconds) == expected


def test_each_renewal_is_a_step_upwards() -> None:
    root = ET.fromstring(draw_patches([SLOW, FAST], "Time to patch & more"))  # noqa: S314  what we drew
    lines = {path.get("class", ""): path.get("d", "") for path in root.iter(f"{SVG}path")}
    heights = {name: [float(y) for y in re.findall(r"V([\d.]+)", d)] for name, d in lines.items()}
    assert sorted(heights) == ["line deployed", "line published"]
    assert len(heights["line published"]) == 2
    assert heights["line published"][0] > heights["line published"][1] == 100.0, "the last one reaches 100 %"
    assert heights["line deployed"] == heights["line published"][:1], "one of two is deployed"
    words = " ".join("".join(text.itertext()) for text in root.iter(f"{SVG}text"))
    assert "published: 2 of 2, median 4 min, 90 % 8 d, last 8 d" in words
    assert "deployed: 1 of 2" in words
    assert "30 days" in words, "what vendors promise is on the axis"


def test_it_follows_the_readers_colours_and_loads_nothing() -> None:
    text = draw_patches([], "nothing")
    assert "prefers-color-scheme:dark" in text
    assert re.findall(r"https?://[^\"]+", text) == ["http://www.w3.org/2000/svg"]
    assert "none published yet" in text
    assert "<path" not in text
