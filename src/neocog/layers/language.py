"""The layer language as text: one layer a line, or `|` between layers; `#` starts a comment.

layers   = layer { ("|" | newline) layer }
layer    = word { argument } | block "(" layers { ";" layers } ")"
argument = value | name "=" value          values first, in the order of the word's fields
"""

from __future__ import annotations

import re
from dataclasses import MISSING, fields
from typing import Any

from neocog.errors import LayerError, unknown
from neocog.layers.blocks import BLOCKS, Block
from neocog.layers.layer import WORDS, Layer
from neocog.layers.stack import Layers

_MOST_NESTED = 20


def parse(text: str) -> Layers:
    """Reads a layer text; LayerError names the layer and what is wrong with it.

    >>> parse("conv 16 5 same | relu | maxpool 2 | flatten | linear 10").text()
    'conv 16 5 same | relu | maxpool 2 | flatten | linear 10'
    """
    without_comments = re.sub(r"#[^\n]*", "", text)
    layers = _parse_layers(without_comments, "", 0)
    if not layers.layers:
        raise LayerError("the layer text is empty; write at least one layer, such as 'flatten | linear classes'")
    return layers


def _parse_layers(text: str, prefix: str, depth: int) -> Layers:
    if depth > _MOST_NESTED:
        raise LayerError(f"blocks are nested more than {_MOST_NESTED} deep; write the inner ones one after another")
    between_bars = _split(text, "|")
    if len(between_bars) > 1 and not all(piece.strip() for piece in between_bars):
        where = f"layer {prefix.rstrip('.')}" if prefix else "the layer text"
        raise LayerError(f"{where}: nothing stands on one side of a '|'; take it away or write a layer there")
    written = [line.strip() for piece in between_bars for line in _split(piece, "\n") if line.strip()]
    return Layers(tuple(_parse_layer(piece, f"{prefix}{number}", depth) for number, piece in enumerate(written, 1)))


def _split(text: str, separator: str) -> list[str]:
    """Pieces of the text between the separators that stand outside all parentheses."""
    pieces, depth, start = [], 0, 0
    for position, sign in enumerate(text):
        depth += (sign == "(") - (sign == ")")
        if depth < 0:
            break
        if depth == 0 and sign == separator:
            pieces.append(text[start:position])
            start = position + 1
    if depth:
        missing, side = (")", "close") if depth > 0 else ("(", "open")
        raise LayerError(f"'{' '.join(text.split())}': a '{missing}' is missing; {side} each block once")
    return [*pieces, text[start:]]


def _parse_layer(text: str, number: str, depth: int) -> Layer:
    where = f"layer {number} '{' '.join(text.split())}'"
    word = re.split(r"[\s(]", text, maxsplit=1)[0].lower()
    if word in BLOCKS:
        return _parse_block(BLOCKS[word], text[len(word) :].strip(), number, where, depth)
    if word not in WORDS:
        raise LayerError(f"{where}: {unknown('layer', word, [*WORDS, *BLOCKS])}")
    return _parse_word(WORDS[word], text[len(word) :].split(), where)


def _parse_block(block: type[Block], inner: str, number: str, where: str, depth: int) -> Layer:
    if not (inner.startswith("(") and inner.endswith(")")):
        raise LayerError(f"{where}: put its layers in parentheses, as in '{block.example}'")
    texts = _split(inner[1:-1], ";")
    names = block.part_names(len(texts))
    if names is None:
        raise LayerError(f"{where}: has {len(texts)} parts between ';'; write it as in '{block.example}'")
    parts = tuple(_parse_layers(part, f"{number}.{name}.", depth + 1) for name, part in zip(names, texts, strict=True))
    if not parts[0].layers:
        raise LayerError(f"{where}: is empty; write it as in '{block.example}'")
    return block(parts)


def _parse_word(kind: type[Layer], words: list[str], where: str) -> Layer:
    arguments = {item.name: item for item in fields(kind)}
    positional = [name for name, item in arguments.items() if not item.metadata["named"]]
    values: dict[str, Any] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            value = word
            name = next((n for n, item in arguments.items() if word in item.metadata["kind"].bare), "")
            if not name:
                name = next((n for n in positional if n not in values), "")
            if not name:
                raise LayerError(f"{where}: {_usage(kind)} and doesn't know what '{word}' is for")
        if name not in arguments:
            known = unknown("argument", name, arguments) if arguments else f"takes no argument '{name}'"
            raise LayerError(f"{where}: {known}")
        if name in values:
            raise LayerError(f"{where}: {name} is given twice; keep one")
        try:
            values[name] = arguments[name].metadata["kind"].read(value)
        except (ValueError, KeyError):
            expected = arguments[name].metadata["kind"].expected
            raise LayerError(f"{where}: {name} must be {expected}, not '{value}'") from None
    missing = [name for name, item in arguments.items() if item.default is MISSING and name not in values]
    if missing:
        raise LayerError(f"{where}: {' and '.join(missing)} missing; {_usage(kind)}")
    return kind(**values)


def _usage(kind: type[Layer]) -> str:
    shown = " ".join(f"[{item.name}=…]" if item.metadata["named"] else item.name.upper() for item in fields(kind))
    return f"'{kind.word}' is written '{kind.word} {shown}'" if shown else f"'{kind.word}' stands alone"
