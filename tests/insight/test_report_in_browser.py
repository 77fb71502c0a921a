"""The report as a browser shows it: nothing is fetched, nothing complains, and it fits a telephone.

`make test-browser` runs these with a chromium that is there: $CHROMIUM, else one of the usual names.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import neocog
from conftest import STEPS, TINY
from neocog.insight.reporting import report

pytestmark = pytest.mark.browser

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
LONG = "a class with quite a long name of its own, number "


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory, arrays: tuple[np.ndarray, np.ndarray]) -> Path:
    """The report of a tiny run whose classes have long names, with all its figures."""
    images, labels = arrays
    place = tmp_path_factory.mktemp("browser")
    names = np.array([f"{LONG}{number}" for number in range(2)])
    run = neocog.train(
        "fast",
        data=(images, names[labels]),
        model=TINY,
        set=STEPS,
        run=place / "run",
        figures=False,
        tell=lambda text: None,
    )
    return report(run)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A browser without a window."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: `make test-browser` installs it")
    place = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if place is None:
        pytest.skip(f"no chromium: none of {', '.join(NAMES)} is on the PATH; set CHROMIUM to its place")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=place, args=ARGUMENTS)
        yield browser
        browser.close()


def looked_at(chromium: Any, place: Path, width: int, scheme: str) -> dict[str, Any]:
    """What happens when a file is opened in a window of that width, and how wide it gets."""
    seen: dict[str, Any] = {"requests": [], "complaints": []}
    context = chromium.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    try:
        page = context.new_page()
        page.on("request", lambda request: seen["requests"].append(request.url))
        page.on("console", lambda line: seen["complaints"].append(line.text))
        page.on("pageerror", lambda error: seen["complaints"].append(str(error)))
        page.goto(place.as_uri(), wait_until="networkidle")
        seen["requests"] = [url for url in seen["requests"] if not url.startswith("data:") and url != place.as_uri()]
        page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        seen["wide"] = page.evaluate("document.documentElement.scrollWidth")
        seen["ground"] = page.evaluate("getComputedStyle(document.body).backgroundColor")
        seen["pictures"] = page.evaluate("[...document.images].map(each => each.complete && each.naturalWidth > 0)")
    finally:
        context.close()
    return seen


def lightness(colour: str) -> int:
    """The sum of red, green and blue of `rgb(r, g, b)`."""
    return sum(int(part) for part in colour.partition("(")[2].rstrip(")").split(",")[:3])


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_report_is_shown_by_itself(chromium: Any, page_file: Path, width: int, scheme: str) -> None:
    seen = looked_at(chromium, page_file, width, scheme)
    assert (seen["requests"], seen["complaints"]) == ([], [])
    assert seen["wide"] <= width
    assert len(seen["pictures"]) >= 6 and all(seen["pictures"])
    assert (lightness(seen["ground"]) > 3 * 200) == (scheme == "light")


def test_what_would_be_wrong_is_seen(chromium: Any, tmp_path: Path) -> None:
    poor = tmp_path / "poor.html"
    poor.write_text(
        '<body><div style="width: 900px">wide</div><img src="https://example.invalid/a.png">'
        "<script>console.error('a complaint')</script>",
        encoding="utf-8",
    )
    seen = looked_at(chromium, poor, 390, "light")
    assert seen["requests"] == ["https://example.invalid/a.png"]
    assert "a complaint" in seen["complaints"]
    assert (seen["wide"] >= 900, seen["pictures"]) == (True, [False])
