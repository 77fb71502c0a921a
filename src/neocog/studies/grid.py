"""Values to try for a recipe's keys: read from texts, multiplied out into a grid, or drawn at random."""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from neocog.errors import RecipeError
from neocog.randomness import numpy_stream
from neocog.recipe import parse_changes

MOST = 10_000  # configurations of a grid; whoever asks for more has mistyped, or wants --random
_DRAWS = 100  # times the number wanted, until only what was drawn before comes up
_DIGITS = 3  # of a drawn fraction

_NUMBER = r"[-+]?\d+(?:_\d+)*(?:\.\d+)?(?:[eE][-+]?\d+)?"
_RANGE = re.compile(rf"\s*({_NUMBER})\s*\.\.\s*({_NUMBER})\s*")
_PAIRS = {"(": ")", "[": "]", "{": "}"}


@dataclass(frozen=True)
class Range:
    """Numbers to draw from: whole ones between two whole ends, both included; else fractions."""

    low: float
    high: float
    text: str

    @property
    def whole(self) -> bool:
        """Whether only whole numbers are drawn."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    @property
    def how(self) -> str:
        """How numbers are drawn from it."""
        if self.whole:
            return f"evenly from the whole numbers {self.text}"
        return f"{'log-uniformly' if self.low > 0 else 'uniformly'} from {self.text}"

    def draw(self, share: float) -> float:
        """The number at that share of the range, 0 to 1; fractions are rounded to three digits.

        >>> Range(0.001, 0.1, "0.001..0.1").draw(0.5), Range(1, 6, "1..6").draw(0.99)
        (0.01, 6)
        """
        if self.whole:
            return int(self.low) + min(int(share * (self.high - self.low + 1)), int(self.high - self.low))
        if self.low > 0:
            number = math.exp(math.log(self.low) + share * math.log(self.high / self.low))
        else:
            number = self.low + share * (self.high - self.low)
        return min(max(float(f"{number:.{_DIGITS}g}"), self.low), self.high)


Choices = Mapping[str, Sequence[Any] | Range]
"""The values to try, by dotted key."""


def parse_choices(words: Iterable[str]) -> dict[str, Sequence[Any] | Range]:
    """`KEY=V1,V2` texts as values by key; a value is read as TOML, and as plain text where it is none.

    Commas inside quotes, brackets and braces belong to a value. `LOW..HIGH` is a range. Raises RecipeError.

    >>> parse_choices(["optimizer.lr=0.01,0.1", "optimizer.name=sgd,adam", "optimizer.betas=[0.9, 0.99],[0.8, 0.9]"])
    {'optimizer.lr': [0.01, 0.1], 'optimizer.name': ['sgd', 'adam'], 'optimizer.betas': [[0.9, 0.99], [0.8, 0.9]]}
    """
    found: dict[str, Sequence[Any] | Range] = {}
    for word in words:
        key, equals, text = word.partition("=")
        key = key.strip()
        if not equals or not key or not text.strip():
            raise RecipeError(f"'{word}': write a key and its values, such as optimizer.lr=0.01,0.02")
        if key in found:
            raise RecipeError(f"{key} is given twice; write all its values behind one {key}=, with commas between")
        found[key] = read_range(key, text) or [_value(key, piece) for piece in _pieces(key, text)]
    return found


def normalized(values: Mapping[str, Any]) -> dict[str, Sequence[Any] | Range]:
    """Values as Python code gives them: a list of them, one alone, or a range as a text such as "0.001..0.1"."""
    found: dict[str, Sequence[Any] | Range] = {}
    for key, given in values.items():
        choices = given if isinstance(given, Range) else None
        if isinstance(given, str):
            choices = read_range(key, given)
        found[key] = choices or (list(given) if isinstance(given, list | tuple) else [given])
        if not choices and not found[key]:
            raise RecipeError(f"{key} has no values to try; give some, such as [0.01, 0.02]")
    return found


def read_range(key: str, text: str) -> Range | None:
    """`0.001..0.1` as a range; None for anything else. Raises RecipeError for ends that make none."""
    found = _RANGE.fullmatch(text)
    if not found:
        if "," not in text:
            _refuse_half_range(key, text)
        return None
    low, high = (tomllib.loads(f"value = {end}")["value"] for end in found.groups())
    if not low < high:
        raise RecipeError(f"{key}={text.strip()}: the first end of a range must lie below the second")
    return Range(low, high, text.strip())


def grid(choices: Choices) -> list[dict[str, Any]]:
    """Each combination of the values, the last key changing fastest. Raises RecipeError for a range or too many.

    >>> grid({"a": [1, 2], "b": [3], "c": [4, 5]})[1]
    {'a': 1, 'b': 3, 'c': 5}
    """
    lists = {}
    for key, values in choices.items():
        if isinstance(values, Range):
            raise RecipeError(
                f"{key}={values.text} is a range, and numbers are drawn from it only with --random N; give that, or "
                f"values with commas between, such as {key}={values.low},{values.high}"
            )
        lists[key] = values
    size = math.prod(len(values) for values in lists.values())
    if size > MOST:
        raise RecipeError(f"{size:,} configurations are more than {MOST:,}; give fewer values, or --random N")
    return [dict(zip(lists, values, strict=True)) for values in product(*lists.values())]


def drawn(choices: Choices, count: int, seed: int) -> tuple[list[dict[str, Any]], list[str]]:
    """So many different combinations drawn at random, and notes on how.

    Random search finds a good setting with fewer trials than a grid where only some of the keys matter
    (Bergstra & Bengio 2012, "Random search for hyper-parameter optimization"). The numbers come from the stream
    (seed, "sweep"); the first ones stay the same when more are asked for.
    """
    for option, number, least in (("random", count, 1), ("seed", seed, 0)):
        if isinstance(number, bool) or not isinstance(number, int) or number < least:
            raise RecipeError(f"{option} = {number!r}: give a whole number of {least} or more")
    random = numpy_stream(seed, "sweep")
    found: list[dict[str, Any]] = []
    seen: set[str] = set()
    for _ in range(_DRAWS * count):
        shares = random.random(len(choices))
        one = {
            key: values.draw(share) if isinstance(values, Range) else values[int(share * len(values))]
            for (key, values), share in zip(choices.items(), shares.tolist(), strict=True)
        }
        if (text := repr(one)) not in seen:
            seen.add(text)
            found.append(one)
        if len(found) == count:
            break
    notes = [f"{key} is drawn {values.how}" for key, values in choices.items() if isinstance(values, Range)]
    if len(found) < count:
        notes.append(f"--random {count}: there are only {len(found)} different configurations to draw")
    return found, notes


def value_text(value: Any) -> str:
    """A value as `--set` reads it.

    >>> [value_text(value) for value in (0.01, True, [0.9, 0.99], "conv 8 3 | relu", {"shift": 2}, "3")]
    ['0.01', 'true', '[0.9, 0.99]', 'conv 8 3 | relu', '{shift = 2}', '"3"']
    """
    if isinstance(value, str):
        # Texts that TOML would take for something else, such as a number, keep their quotes.
        return value if parse_changes([f"key={value}"])["key"] == value else json.dumps(value, ensure_ascii=False)
    return _toml(value)


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key} = {_toml(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(inner) for inner in value) + "]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else repr(value)


def _value(key: str, text: str) -> Any:
    if _RANGE.fullmatch(text):
        raise RecipeError(f"{key}: the range {text.strip()} must stand alone, without other values beside it")
    _refuse_half_range(key, text)
    return parse_changes([f"{key}={text.strip()}"])[key]


def _refuse_half_range(key: str, text: str) -> None:
    """Raises RecipeError for a number, two dots, and something else; a folder may have two dots in its name."""
    ends = [end.strip() for end in text.split("..")]
    wrong = [end for end in ends if not re.fullmatch(_NUMBER, end)]
    if len(ends) == 2 and len(wrong) == 1 and "/" not in text:
        what = f"the end '{wrong[0]}' of the range is no number" if wrong[0] else "one end of the range is missing"
        raise RecipeError(f"{key}={text.strip()}: {what}; write LOW..HIGH, such as 0.001..0.1")


def _pieces(key: str, text: str) -> list[str]:
    """The text cut at the commas that lie in no quotes and no brackets."""
    pieces, opened, quote = [""], [], ""
    for sign in text:
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "\"'":
            quote = sign
        elif sign in _PAIRS:
            opened.append(_PAIRS[sign])
        elif opened and sign == opened[-1]:
            opened.pop()
        elif sign == "," and not opened:
            pieces.append("")
            continue
        pieces[-1] += sign
    missing = quote or (opened[-1] if opened else "")
    if missing:
        raise RecipeError(f"{key}={text}: a {missing} is missing at the end")
    if any(not piece.strip() for piece in pieces):
        raise RecipeError(f"{key}={text}: there is a comma with no value beside it; take it out")
    return pieces
