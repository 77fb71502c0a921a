"""What a page must keep to, whoever reads it: tags that close, names that are one thing's alone, nothing fetched."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from itertools import pairwise

EMPTY = {"meta", "img", "br", "hr", "link", "input"}
HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
# What a paragraph can't hold: HTML would close it silently.
BLOCKS = {"p", "table", "div", "section", "ul", "ol", "pre", "details", "figure", *HEADINGS}


class Markup(HTMLParser):
    """A text of HTML as its tags in order; a tag that isn't closed, or closed twice, is an error."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.texts: dict[str, list[str]] = {}
        self.open: list[str] = []
        self.feed(html)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"<{tag}> says one thing twice: {names}"
        assert not ("p" in self.open and tag in BLOCKS), f"<{tag}> in <p>"
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in EMPTY:
            self.open.append(tag)
            self.texts.setdefault(tag, []).append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open[-1] == tag, f"</{tag}> closes <{self.open[-1]}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        for tag in set(self.open):
            self.texts[tag][-1] += data

    def of(self, *names: str) -> list[dict[str, str]]:
        """The attributes of each tag of these names."""
        return [attributes for tag, attributes in self.tags if tag in names]

    def text(self, tag: str) -> str:
        """All that stands in the tags of that name, spaces made one."""
        return " ".join(" ".join(self.texts.get(tag, [])).split())


def check_fragment(html: str) -> Markup:
    """A piece of HTML that runs nothing, fetches nothing and has a text for each picture."""
    found = Markup(html)
    names = {tag for tag, _ in found.tags}
    assert not names & {"script", "iframe", "object", "embed", "link", "base", "form"}, names
    for tag, attributes in found.tags:
        assert not [name for name in attributes if name.startswith("on")], (tag, attributes)
        assert attributes.get("src", "data:image/").startswith("data:image/"), (tag, attributes)
        assert not re.match("(?i)(https?:|javascript:|//)", attributes.get("href", "")), attributes
    assert all(image.get("alt", "").strip() for image in found.of("img"))
    return found


def check_page(html: str) -> Markup:
    """A whole page: besides, one that can be walked through by headings, tables by their heads, and links inside it."""
    assert html.startswith("<!doctype html>")
    found = check_fragment(html)
    assert found.of("html")[0]["lang"] == "en"
    assert found.text("title")
    ids = [attributes["id"] for _, attributes in found.tags if "id" in attributes]
    assert len(ids) == len(set(ids)), ids
    links = [attributes["href"] for attributes in found.of("a")]
    assert {link.removeprefix("#") for link in links} <= set(ids), links
    assert {attributes["aria-labelledby"] for attributes in found.of("section")} <= set(ids)
    levels = [HEADINGS.index(tag) for tag, _ in found.tags if tag in HEADINGS]
    assert levels.count(0) == 1 == levels.index(0) + 1
    assert all(after <= before + 1 for before, after in pairwise(levels)), levels
    assert len(found.of("caption")) == len(found.of("table"))
    assert all(attributes.get("scope") in ("col", "row") for attributes in found.of("th"))
    styles = " ".join(found.texts["style"])
    assert "url(" not in styles and "@import" not in styles
    return found
