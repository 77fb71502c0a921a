"""The convolution as one matrix."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from figures import COUNTING, TOEPLITZ_KERNEL, all_texts, grid, part
from matplotlib.axes import Axes

from neocog.errors import OperationError
from neocog.ops.spec import ConvSpec
from neocog.ops.toeplitz import toeplitz_matrix
from neocog.plots import plot_toeplitz


def test_the_toeplitz_matrix_stands_in_its_equation():
    figure = plot_toeplitz(TOEPLITZ_KERNEL, (1, 3, 3), ConvSpec.make(2))
    want = toeplitz_matrix(TOEPLITZ_KERNEL, (1, 3, 3), ConvSpec.make(2)).int().tolist()
    assert grid(part(figure, "A")) == [[str(entry) for entry in row] for row in want]
    assert grid(part(figure, "y")) == [["y₀₀"], ["y₀₁"], ["y₁₀"], ["y₁₁"]]
    assert grid(part(figure, "x"))[::4] == [["x₀₀"], ["x₁₁"], ["x₂₂"]]
    assert (part(figure, "A").get_ylabel(), part(figure, "A").get_xlabel()) == (
        "output (k, p, q)",
        "input (c, h, w)",
    )
    texts = all_texts(figure)
    assert texts[texts.index("A") - 1] == "4×9, in blocks of 2×3"
    assert [text for text in texts if text in "=·" and text] == ["=", "·"]
    assert texts[-1] == (
        "12 of 36 entries are not zero (33.3 %)\n"
        "each row of A makes one output number: kernel k at row p, column q of the result\n"
        "each column of A meets one input number: channel c, row h, column w of the picture"
    )


def test_the_toeplitz_equation_is_solved_for_a_picture():
    figure = plot_toeplitz(TOEPLITZ_KERNEL, (1, 3, 3), ConvSpec.make(2), x=COUNTING[None], title="0…8 under 0…3")
    assert grid(part(figure, "x")) == [[str(value)] for value in range(9)]
    assert grid(part(figure, "y")) == [["19"], ["25"], ["37"], ["43"]]
    assert "0…8 under 0…3\n4×9, in blocks of 2×3" in all_texts(figure)


def test_a_toeplitz_picture_of_another_shape_is_refused():
    with pytest.raises(OperationError) as caught:
        plot_toeplitz(TOEPLITZ_KERNEL, (1, 3, 3), ConvSpec.make(2), COUNTING)
    assert str(caught.value) == "x has the shape (3, 3) but input_shape is (1, 3, 3); give the same"


def test_the_text_stands_under_the_matrix_and_not_under_a_taller_column():
    figure = plot_toeplitz(torch.ones(1, 1, 3, 3), (1, 4, 4), ConvSpec.make(3), torch.ones(1, 4, 4))
    assert figure.texts[-1].get_position()[1] > part(figure, "x").get_position().y0


def block_lines(axes: Axes) -> dict[float, tuple[list[float], list[float]]]:
    """Thickness → where lines of it run down and across."""
    found: dict[float, tuple[list[float], list[float]]] = {}
    for lines in axes.collections:
        down, across = found.setdefault(lines.get_linewidths()[0], ([], []))
        for (x0, y0), (x1, y1) in lines.get_segments():
            (down if x0 == x1 else across).append(x0 if x0 == x1 else y0)
            assert (x0 == x1) != (y0 == y1)
    return found


def test_blocks_of_rows_and_of_channels_are_parted_by_lines():
    w_KCRS = torch.ones(2, 2, 2, 2)
    figure = plot_toeplitz(w_KCRS, (2, 3, 3), ConvSpec.make(2))
    by_thickness = block_lines(part(figure, "A"))
    assert by_thickness[2.0] == ([-0.5, 8.5, 17.5], [-0.5, 3.5, 7.5]), "channels and kernels"
    assert by_thickness[1.0] == ([-0.5, 2.5, 5.5, 8.5, 11.5, 14.5, 17.5], [-0.5, 1.5, 3.5, 5.5, 7.5]), "Q×W"
    assert grid(part(figure, "x"))[9] == ["x₁₀₀"]
    assert grid(part(figure, "y"))[-1] == ["y₁₁₁"]


def test_small_blocks_have_no_lines_and_each_entry_has_two_dots_of_its_own():
    figure = plot_toeplitz(torch.ones(1, 1, 1, 1), (1, 64, 10), ConvSpec.make(1))
    matrix = part(figure, "A")
    assert set(block_lines(matrix)) <= {0.5, 1.0}
    assert max(len(down) for down, _ in block_lines(matrix).values()) == 2
    assert matrix.get_position().width * figure.get_size_inches()[0] * 160 == pytest.approx(2 * 640)


def test_a_larger_toeplitz_matrix_is_colours_with_a_bar():
    figure = plot_toeplitz(torch.ones(1, 1, 3, 3), (1, 8, 8), ConvSpec.make(3, stride=2, padding=1))
    assert [axes.get_label() for axes in figure.axes] == ["A", "colour bar"]
    assert list(part(figure, "A").texts) == []
    assert np.asarray(part(figure, "A").images[0].get_array()).shape == (16, 64, 3)
    assert part(figure, "colour bar").get_ylim() == (0, 1)
    down, across = block_lines(part(figure, "A"))[0.5]
    assert {7.5 + 8 * block for block in range(7)} <= set(down), "thin lines between the blocks"
    assert {3.5, 7.5, 11.5} <= set(across)
    assert all_texts(figure)[-1].startswith("121 of 1,024 entries are not zero (11.8 %)\n")


@pytest.mark.parametrize(
    ("w_shape", "input_shape", "spec", "text"),
    [
        (
            (1, 1, 3, 3),
            (1, 33, 32),
            ConvSpec.make(3, stride=9),
            "a Toeplitz matrix of 16 × 1,056 entries is too large to draw; use a smaller picture or fewer kernels, for "
            "at most 1,024 rows and columns",
        ),
        (
            (3, 3, 3, 3),
            (3, 4000, 6000),
            ConvSpec.make(3),
            "a Toeplitz matrix of 71,940,012 × 72,000,000 entries is too large to draw; use a smaller picture or fewer "
            "kernels, for at most 1,024 rows and columns",
        ),
        (
            (1, 1, 2, 2),
            (3, 3),
            ConvSpec.make(2),
            "input_shape = (3, 3): give one picture's (channels, rows, columns), such as (1, 28, 28)",
        ),
        (
            (1, 1, 5, 5),
            (1, 3, 3),
            ConvSpec.make(5),
            "a 5×5 kernel does not fit the 3×3 picture; use a smaller kernel, or 1 more padding on each side",
        ),
    ],
)
def test_what_makes_no_toeplitz_picture_is_refused(w_shape, input_shape, spec, text):
    with pytest.raises(OperationError) as caught:
        plot_toeplitz(torch.ones(w_shape), input_shape, spec)
    assert str(caught.value) == text
