"""What holds for every figure: nothing is cut, overlaps or is changed, and no state is global."""

from __future__ import annotations

import subprocess
import sys
from itertools import combinations
from pathlib import Path

import matplotlib
import pytest
import torch
from figures import TOEPLITZ_KERNEL, all_texts, photo, worked
from matplotlib.text import Text

from conftest import ENVIRONMENT
from neocog.errors import OperationError
from neocog.filtering import convolve
from neocog.kernels import Kernel, kernel
from neocog.ops.spec import ConvSpec
from neocog.plots import plot_convolution, plot_kernel, plot_toeplitz, plot_window, save_figure
from neocog.plots.style import LEAST, styled

FIGURES = {
    "worked convolution": lambda: plot_convolution(worked()),
    "worked window": lambda: plot_window(worked()),
    "digit": lambda: plot_convolution(convolve("digit:7", "sobel")),
    "strided digit": lambda: plot_convolution(convolve("digit:7", "sobel", padding=1, stride=2, window=(0, 7))),
    "digit's window": lambda: plot_window(convolve("digit:7", "gaussian", size=7)),
    "photo": lambda: plot_convolution(convolve(photo(), "laplacian", dilation=2)),
    "photo's window": lambda: plot_window(convolve(photo(), "laplacian", dilation=2)),
    "gabor": lambda: plot_convolution(convolve(photo(), "gabor", size=21, color="grey")),
    "gabor's window": lambda: plot_window(convolve(photo(), "gabor", size=21, color="grey")),
    "row": lambda: plot_convolution(convolve(photo(1, 300), "motion")),
    "one pixel": lambda: plot_window(convolve(torch.zeros(1, 1), [[5]])),
    "toeplitz": lambda: plot_toeplitz(TOEPLITZ_KERNEL, (1, 3, 3), ConvSpec.make(2)),
    "large toeplitz": lambda: plot_toeplitz(torch.ones(1, 1, 3, 3), (1, 8, 8), ConvSpec.make(3, stride=2, padding=1)),
    "equation": lambda: plot_toeplitz(torch.ones(1, 1, 3, 3), (1, 4, 4), ConvSpec.make(3), torch.ones(1, 4, 4)),
    "kernel": lambda: plot_kernel(kernel("gaussian", size=7)),
    "nine rows": lambda: plot_window(convolve("digit:7", "gaussian", size=9, sigma=2)),
    "small result": lambda: plot_convolution(convolve("digit:7", "sobel", stride=4)),
}


@pytest.mark.parametrize("name", FIGURES)
def test_nothing_is_cut_and_nothing_overlaps(name):
    figure = FIGURES[name]()
    figure.draw_without_rendering()
    page, renderer = figure.bbox, figure.canvas.get_renderer()
    texts = [text for text in figure.findobj(Text) if text.get_text() and text.get_visible()]
    outside = [text for text in figure.texts if text.get_text()]
    for text in texts:
        box = text.get_window_extent(renderer)
        assert page.x0 <= box.x0 < box.x1 <= page.x1, text.get_text()
        assert page.y0 <= box.y0 < box.y1 <= page.y1, text.get_text()
        assert text.get_fontsize() >= LEAST
    boxes = [(text.get_text(), text.get_window_extent(renderer).shrunk(0.98, 0.9)) for text in outside]
    panels = [(axes.get_label(), axes.get_tightbbox(renderer)) for axes in figure.axes]
    for (one, first), (other, second) in combinations(boxes + panels, 2):
        assert not first.overlaps(second), f"{one!r} lies on {other!r}"


def test_inputs_are_left_as_they_were():
    convolved = convolve("digit:7", "sobel")
    before, after, rows = convolved.before.clone(), convolved.after.clone(), convolved.kernel.rows
    w_KCRS = TOEPLITZ_KERNEL.clone().requires_grad_()
    plot_convolution(convolved)
    plot_window(convolved)
    plot_toeplitz(w_KCRS, (1, 3, 3), ConvSpec.make(2))
    assert torch.equal(convolved.before, before)
    assert torch.equal(convolved.after, after)
    assert convolved.kernel.rows == rows
    assert torch.equal(w_KCRS, TOEPLITZ_KERNEL)


def test_the_users_own_style_is_neither_used_nor_changed(tmp_path):
    plain = save_figure(plot_window(worked()), tmp_path / "plain.png").read_bytes()
    with matplotlib.rc_context({"axes.grid": True, "font.size": 30, "axes.facecolor": "red", "savefig.bbox": "tight"}):
        before = dict(matplotlib.rcParams)
        own = save_figure(plot_window(worked()), tmp_path / "own.png").read_bytes()
        assert dict(matplotlib.rcParams) == before
    assert own == plain


def test_the_style_is_taken_back_when_drawing_fails():
    @styled
    def fails() -> None:
        assert matplotlib.rcParams["svg.hashsalt"] == "neocog"
        raise OperationError("no")

    before = dict(matplotlib.rcParams)
    with pytest.raises(OperationError):
        fails()
    assert dict(matplotlib.rcParams) == before


def test_importing_needs_neither_torch_nor_matplotlib_and_drawing_no_pyplot():
    code = (
        "import sys, neocog.plots\n"
        "print(sorted({'torch', 'matplotlib', 'scipy'} & set(sys.modules)))\n"
        "from neocog.kernels import kernel\n"
        "neocog.plots.save_figure(neocog.plots.plot_kernel(kernel('sobel')), 'sobel.svg')\n"
        "print('matplotlib.figure' in sys.modules, 'matplotlib.pyplot' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=120, env=ENVIRONMENT
    )
    assert (done.stdout, done.stderr) == ("[]\nTrue False\n", "")
    assert Path("sobel.svg").read_bytes() == save_figure(plot_kernel(kernel("sobel")), "here.svg").read_bytes()


def test_strange_names_are_shown_on_one_line_and_without_warnings(tmp_path):
    figure = plot_kernel(Kernel("写真 $x_1$\n" + "long " * 20, ((1,),)))
    assert all_texts(figure)[1] == "写真 $x_1$ long long…ng long long long"
    save_figure(figure, tmp_path / "named.png")
