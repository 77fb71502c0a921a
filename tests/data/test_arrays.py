from __future__ import annotations

import numpy as np
import pytest
import torch
from pictures import noise

from neocog.data import open_source
from neocog.errors import DataError

IMAGES = np.stack([noise(seed, (6, 5)) for seed in range(40)])
LABELS = np.array(["cat", "dog"] * 20)


def test_arrays_of_every_accepted_kind() -> None:
    for images, channels in (
        (IMAGES, 3),
        (IMAGES[..., 0], 1),
        (IMAGES[..., :1], 1),
        (torch.from_numpy(IMAGES), 3),
        (IMAGES[:, ::-1], 3),
        (list(IMAGES), 3),
    ):
        data = open_source((images, LABELS)).load(seed=0)
        assert data.image_shape == (channels, 6, 5)
        assert data.classes == ("cat", "dog")
        assert data.validation is not None and data.test is not None
        assert [len(data.train), len(data.validation), len(data.test)] == [29, 3, 8]


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (np.arange(40) % 3, ("0", "1", "2")),
        (torch.arange(40) % 3 + 10, ("10", "11", "12")),
        (["b", "a"] * 20, ("a", "b")),
        ([True, False] * 20, ("False", "True")),
        (np.array([2.0, 1.5] * 20), ("1.5", "2.0")),
    ],
)
def test_labels_of_any_kind_become_sorted_class_names(labels: object, classes: tuple[str, ...]) -> None:
    data = open_source((IMAGES, labels), validation=0, test=0).load(seed=0)
    assert data.classes == classes
    given = labels.tolist() if hasattr(labels, "tolist") else labels
    assert [data.classes[label] for label in data.train.labels] == [str(label) for label in given]  # type: ignore[union-attr]


def test_the_users_arrays_stay_as_they_are() -> None:
    images, labels = IMAGES.copy(), LABELS.copy()
    data = open_source((images, labels)).load(seed=3)
    data.train.images.zero_()
    np.testing.assert_array_equal(images, IMAGES)
    np.testing.assert_array_equal(labels, LABELS)


def test_a_list_may_hold_the_pair() -> None:
    assert open_source([IMAGES, LABELS]).classes == ("cat", "dog")  # type: ignore[arg-type]


def test_read_only_arrays_are_taken_too() -> None:
    images = IMAGES.copy()
    images.flags.writeable = False
    assert len(open_source((images, LABELS), validation=0, test=0).load(seed=0).train) == 40


def test_pictures_carry_their_index_as_name() -> None:
    data = open_source((IMAGES, LABELS)).load(seed=0)
    assert data.test is not None
    for name, picture in zip(data.test.names, data.test.images, strict=True):
        kind, index = name.split("/")
        assert kind == "arrays"
        np.testing.assert_array_equal(picture.numpy(), IMAGES[int(index)])
    record = data.split_record()
    assert record["seed"] == 0 and len(record["test"]) == 8 and len(record["validation"]) == 3


def test_another_size_and_colour_can_be_asked_for() -> None:
    source = open_source((IMAGES, LABELS), image_size=(4, 8), color="grey")
    assert source.image_shape == (1, 4, 8)
    data = source.load(seed=0)
    assert data.train.images.shape[1:] == (4, 8, 1)
    index = int(data.train.names[0].split("/")[1])
    np.testing.assert_array_equal(data.train.images[0].numpy(), source.preprocess(IMAGES[index]))


@pytest.mark.parametrize(
    ("images", "labels", "text"),
    [
        (
            IMAGES / 255,
            LABELS,
            "pictures are float64, but uint8 from 0 to 255 is needed; give"
            ' `(images * 255).round().astype("uint8")` if they lie in [0, 1]',
        ),
        (
            IMAGES.astype(int),
            LABELS,
            "pictures are int64, but uint8 from 0 to 255 is needed; give"
            ' `images.astype("uint8")` if they lie in 0..255',
        ),
        (
            IMAGES.transpose(0, 3, 1, 2),
            LABELS,
            "pictures have shape (40, 3, 6, 5), but (N, H, W), (N, H, W, 1) or (N, H, W, 3) is needed;"
            " channels come last: give images.transpose(0, 2, 3, 1)",
        ),
        (
            IMAGES[0, 0],
            LABELS,
            "pictures have shape (5, 3), but (N, H, W), (N, H, W, 1) or (N, H, W, 3) is needed",
        ),
        (
            torch.from_numpy(IMAGES).permute(0, 3, 1, 2),
            LABELS,
            "pictures have shape (40, 3, 6, 5), but (N, H, W), (N, H, W, 1) or (N, H, W, 3) is needed;"
            " channels come last: give images.permute(0, 2, 3, 1)",
        ),
        (
            torch.from_numpy(IMAGES).to(torch.bfloat16),
            LABELS,
            "pictures are bfloat16, but uint8 from 0 to 255 is needed; give"
            " `(images * 255).round().to(torch.uint8)` if they lie in [0, 1]",
        ),
        (
            torch.from_numpy(IMAGES).int(),
            LABELS,
            "pictures are int32, but uint8 from 0 to 255 is needed; give"
            " `images.to(torch.uint8)` if they lie in 0..255",
        ),
        (
            torch.from_numpy(IMAGES[..., 0]).float().to_sparse(),
            LABELS,
            "pictures make no array: can't convert Sparse layout tensor to numpy. Use Tensor.to_dense() first.; give"
            " one uint8 array (N, H, W) or (N, H, W, C)",
        ),
        (
            [[[0.5, 1.0]], [[0.0, 0.5]]],
            ["a", "b"],
            "pictures are float64, but uint8 from 0 to 255 is needed; give"
            ' `(np.array(images) * 255).round().astype("uint8")` if they lie in [0, 1]',
        ),
        (
            IMAGES[:2, 0, :, 0].tolist(),
            ["a", "b"],
            "pictures are int64, but uint8 from 0 to 255 is needed; give"
            ' `np.array(images, dtype="uint8")` if they lie in 0..255',
        ),
        (
            [IMAGES[0], IMAGES[1, :4]],
            ["a", "b"],
            "pictures make no array: they are not all of one shape; give one uint8 array (N, H, W) or (N, H, W, C)",
        ),
        (
            IMAGES[:2],
            [["a"], ["a", "b"]],
            "labels make no array: they are not all of one shape; give one flat list or array with a label for each"
            " picture",
        ),
        (IMAGES[:0], LABELS[:0], "pictures have shape (0, 6, 5, 3): there is nothing to train on"),
        (IMAGES, LABELS[:7], "labels have shape (7,), but 40 pictures need the shape (40,)"),
        (IMAGES, ["cat"] * 40, "labels name one class only, 'cat'; at least two are needed"),
        (
            IMAGES,
            np.array([np.nan, 1] * 20),
            "labels hold a value that is not a number; give each picture a class",
        ),
        (
            IMAGES,
            np.array([1, "a"] * 20, object),
            "labels are of mixed kinds that cannot be sorted; give all as text, or all as numbers",
        ),
    ],
)
def test_what_cannot_be_trained_on_is_refused(images: object, labels: object, text: str) -> None:
    with pytest.raises(DataError) as error:
        open_source((images, labels))
    assert str(error.value) == text
