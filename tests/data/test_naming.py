from __future__ import annotations

import pytest

from neocog.data.findings import Finding
from neocog.data.naming import balance_findings, name_findings


def of_classes(*classes: str) -> list[Finding]:
    """What is said of these class names, where each class has a picture."""
    return name_findings({"train": classes}, {"train": [f"{name}/0.png" for name in classes]})


def of_parts(**classes: list[str]) -> list[Finding]:
    names = {part: [f"{part}/{name}/0.png" for name in some] for part, some in classes.items()}
    return name_findings(classes, names)


def test_ordinary_classes_give_no_findings() -> None:
    assert of_classes("cat", "dog", "sea lion", "lion") == []
    assert of_parts(train=["cat", "dog"], validation=["dog", "cat"], test=["cat", "dog"]) == []


@pytest.mark.parametrize(
    ("one", "other", "shown"),
    [
        ("Cat", "cat", "'Cat' and 'cat'"),
        ("STRASSE", "straße", "'STRASSE' and 'straße'"),
        ("sea lion", "sea_lion", "'sea lion' and 'sea_lion'"),
        ("Sea  Lion", "sea-lion", "'Sea  Lion' and 'sea-lion'"),
        ("dog", "dog ", "'dog' and 'dog '"),
        ("dog", "dog\u200b", "'dog' and 'dog\\u200b'"),
        ("dog\n", "dog", "'dog\\n' and 'dog'"),
        ("caf\u00e9", "cafe\u0301", "'caf\u00e9' (composed) and 'cafe\u0301' (decomposed)"),
        ("ｃａｔ", "cat", "'ｃａｔ' and 'cat'"),
    ],
)
def test_classes_that_a_person_reads_as_one(one: str, other: str, shown: str) -> None:
    assert of_classes(one, "bird", other) == [
        Finding(
            "alike-classes",
            "warning",
            f"class names that differ only in case, blanks or Unicode form: {shown}; if they are one class, join them",
        )
    ]


@pytest.mark.parametrize(
    "classes", [("A", "a", "b"), ("1", "-1"), ("10", "1_0x"), ("1", "11"), ("cats", "cat"), ("猫", "犬"), ("é", "e")]
)
def test_classes_that_are_two(classes: tuple[str, ...]) -> None:
    assert of_classes(*classes) == []


def test_many_alike_classes_are_one_line() -> None:
    (found,) = of_classes(*(f"{word}{number}" for number in range(7) for word in ("dog", "Dog")))
    assert found.text.count(" and ") == 6
    assert found.text.endswith("'dog4' and 'Dog4'; and 2 more; if they are one class, join them")


def test_classes_that_differ_between_parts() -> None:
    found = of_parts(train=["cat", "dog", "bird"], test=["Cat", "dog", "bird"])
    assert found == [
        Finding(
            "classes-differ",
            "error",
            "the parts train and test have different classes; only in train: 'cat'; only in test: 'Cat'; rename or"
            " complete them",
        ),
        Finding(
            "alike-classes",
            "warning",
            "class names that differ only in case, blanks or Unicode form: 'cat' and 'Cat'; if they are one class,"
            " join them",
        ),
    ]


def test_single_and_missing_classes() -> None:
    assert [(each.kind, each.level, each.text) for each in of_classes("only")] == [
        ("single-class", "error", "there is one class only, 'only'; at least two are needed")
    ]
    assert of_classes()[0].kind == "no-classes"
    assert of_classes()[0].text == "there is no class; at least two are needed"
    single, *others = of_parts(train=["a", "b"], test=["a"])
    assert single.text == "the test part holds one class only, 'a'; at least two are needed"
    assert [each.kind for each in others] == ["classes-differ"]


def test_empty_classes() -> None:
    classes = {"train": ["a", "b", "c"]}
    assert name_findings(classes, {"train": ["a/0.png"]}) == [
        Finding(
            "empty-class", "error", "2 classes have no pictures: 'b', 'c'; put pictures there, or remove the folder"
        )
    ]
    assert [each.kind for each in name_findings(classes, {"train": []})] == ["empty-class"]
    parts = {"train": ["a", "b"], "test": ["a", "b"]}
    (found,) = name_findings(parts, {"train": ["train/a/0.png", "train/b/0.png"], "test": ["test/b/0.png"]})
    assert found.text == "1 class has no test pictures: 'a'; put pictures there, or remove the folder"


def test_numbered_names_tell_no_classes() -> None:
    assert name_findings({"train": ["0", "1"]}, {"train": [f"mnist/train/{k}" for k in range(9)]}) == []


def test_a_class_may_be_called_as_a_part() -> None:
    classes = {"train": ["train", "bus"], "test": ["train", "bus"]}
    names = {part: [f"{part}/{name}/0.png" for name in classes[part]] for part in classes}
    assert name_findings(classes, names) == []
    assert name_findings({"train": ["train", "bus"]}, {"train": ["train/0.png", "bus/0.png"]}) == []


def test_balance() -> None:
    assert balance_findings({"train": {"a": 29, "b": 10}}) == []
    assert balance_findings({"train": {"a": 290, "b": 100}, "test": {"a": 100, "b": 1}}) == []
    assert balance_findings({"train": {"a": 1300, "b": 400, "c": 300}}) == [
        Finding(
            "class-balance",
            "note",
            "class 'a' has 4.33 times as many training pictures as 'c' (1,300 and 300); always answering 'a' would be"
            " right for 65% of them: judge by the accuracy of each class, or add pictures of the rare ones",
        )
    ]


def test_lopsided_and_small_classes() -> None:
    balance, few = balance_findings({"train": {"a": 90, "b": 9, "c": 0, "it's": 10}})
    assert (balance.kind, balance.level) == ("class-balance", "warning")
    assert balance.text.startswith("class 'a' has 10 times as many training pictures as 'b' (90 and 9); ")
    assert few == Finding(
        "few-pictures", "warning", "1 class has fewer than 10 training pictures, too few to learn from: 'b'; add some"
    )
    assert balance_findings({"train": {"a": 9, "b": 9}})[0].text == (
        "2 classes have fewer than 10 training pictures, too few to learn from: 'a', 'b'; add some"
    )
    assert balance_findings({}) == balance_findings({"train": {"a": 5, "b": 0}}) == []
