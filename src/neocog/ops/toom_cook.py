"""Short correlations with few products, derived: Toom–Cook's product of polynomials, turned round by transposition.

F(m, r) stands for m numbers of a correlation with r taps g, out of t = m + r − 1 numbers d:

    y[i] = Σ_j d[i + j]·g[j]      i = 0 … m − 1,  j = 0 … r − 1

As written that takes m·r products. t are enough, in five steps.

1. Multiplying polynomials is convolution. u(x) = Σ u_i·x^i with m coefficients times g(x) with r is s(x) with t:
   s_k = Σ_j u_{k−j}·g_j.
2. Evaluate. At any point p the values simply multiply, s(p) = u(p)·g(p): one product. So do the leading coefficients,
   s_{t−1} = u_{m−1}·g_{r−1}, which is called the value at ∞. Let V_n be the matrix that evaluates n coefficients at t
   points: a row (1, p, p², …, p^{n−1}) for each p and (0, …, 0, 1) for ∞. Then V_t s = (V_r g) ⊙ (V_m u), where ⊙
   multiplies number by number: t products.
3. Interpolate. t coefficients are known from t values, so V_t has an inverse: s = V_t⁻¹[(V_r g) ⊙ (V_m u)].
4. Transpose (Tellegen's principle). For a fixed g step 3 is a matrix, s = T u with T = V_t⁻¹ diag(V_r g) V_m, and by
   step 1 it holds T[k, i] = g_{k−i}. Its transpose takes d to (Tᵀd)_i = Σ_k g_{k−i}·d_k = Σ_j d[i + j]·g[j]: the
   correlation. Transposing the three factors and their order gives it with the same t products:

       y = Aᵀ[(G g) ⊙ (Bᵀ d)]      Aᵀ = V_mᵀ (m×t),  G = V_r (t×r),  Bᵀ = V_t⁻ᵀ (t×t)

5. The inverse without elimination. Column p of V_t⁻¹ holds the coefficients of the polynomial that is 1 at p and 0 at
   all the other points: Lagrange's Π_{q≠p} (x − q)/(p − q) over the finite points, and Π_q (x − q) for ∞. These
   columns are the rows of Bᵀ. Only the product of row p of G with row p of Bᵀ counts, so the divisors may move from
   Bᵀ to G, which is applied once for a kernel while Bᵀ meets every tile of every picture: Bᵀ gets whole numbers.

F(2, 3) at the points 0, 1, −1 and ∞. Lagrange's numerators are (x − 1)(x + 1) = x² − 1, x(x + 1) = x² + x,
x(x − 1) = x² − x and x(x − 1)(x + 1) = x³ − x; the divisors are −1, 2, 2 and 1:

    v0 = −g0·(d2 − d0)    v1 = ½(g0 + g1 + g2)·(d1 + d2)    v2 = ½(g0 − g1 + g2)·(d2 − d1)    v3 = g2·(d3 − d1)
    y0 = v0 + v1 + v2 = d0·g0 + d1·g1 + d2·g2
    y1 = v1 − v2 + v3 = d1·g0 + d2·g1 + d3·g2

Four products instead of six; the sums of g are made once for a kernel.

Sources: Winograd, "Arithmetic Complexity of Computations" (1980), which shows that t products are also the fewest;
Lavin & Gray, "Fast Algorithms for Convolutional Neural Networks" (CVPR 2016, arXiv:1509.09308).
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from math import prod
from typing import NamedTuple

Matrix = tuple[tuple[Fraction, ...], ...]


class Transforms(NamedTuple):
    """The matrices of y = Aᵀ[(G g) ⊙ (Bᵀ d)]."""

    At: Matrix
    G: Matrix
    Bt: Matrix


@cache
def transforms(outputs: int, taps: int) -> Transforms:
    """Aᵀ (m×t), G (t×r) and Bᵀ (t×t) of F(m, r) as exact fractions, for the points 0, 1, −1, 2, −2, … and ∞.

    Args:
        outputs: m, at least 1.
        taps: r, at least 1.

    Source: Lavin & Gray (2016), section 4; derived at the top of this file.

    >>> for matrix in transforms(2, 3):
    ...     for row in matrix:
    ...         print(*(f"{str(number):>4}" for number in row))
       1    1    1    0
       0    1   -1    1
      -1    0    0
     1/2  1/2  1/2
     1/2 -1/2  1/2
       0    0    1
      -1    0    1    0
       0    1    1    0
       0   -1    1    0
       0   -1    0    1
    """
    points = _points(outputs + taps - 2)
    At = _transposed(_evaluation(points, outputs))
    numerators, divisors = [], []
    for point in points:
        others = [other for other in points if other != point]
        numerators.append((*_with_roots(others), Fraction(0)))  # one degree less than that of ∞
        divisors.append(prod((point - other for other in others), start=Fraction(1)))
    numerators.append(_with_roots(points))
    divisors.append(Fraction(1))
    G = tuple(
        tuple(number / divisor for number in row)
        for row, divisor in zip(_evaluation(points, taps), divisors, strict=True)
    )
    return Transforms(At, G, tuple(numerators))


def growth(outputs: int, taps: int) -> Fraction:
    """How many times larger than the terms of the plain sum those of F(m, r) are at worst; rounding errors follow them.

    With |d| and |g| at most 1, the r terms of y[i] add up to at most r. F(m, r) makes the same number as a sum of terms
    Aᵀ[i, a]·(G g)[a]·(Bᵀ d)[a] that mostly cancel, and each is rounded by a fraction of its own size. They add up to

        Σ_a |Aᵀ[i, a]| · Σ_j |G[a, j]| · Σ_k |Bᵀ[a, k]|

    at most. This is the largest of these sums over r, for all i, or the largest of those of the two transposed
    computations, the gradients, if that is larger. ∂L/∂g[j] is a sum of m terms in a tile, one for each of its outputs.
    ∂L/∂d[k] is a sum of min(m, r) terms at most in a tile, and of r in all, as a number lies in all tiles that overlap
    there: here the sums of one tile over these r. For two directions it is squared.

    Source: Barabasz et al., "Error Analysis and Improving the Accuracy of Winograd Convolution for Deep Neural
    Networks" (2020, arXiv:1803.10986), whose bounds are products of norms of the three.

    >>> [str(growth(outputs, 3)) for outputs in (2, 3, 4, 6)]
    ['3', '73/9', '16', '1375/6']
    """
    At, G, Bt = transforms(outputs, taps)
    A = _transposed(At)
    y, g, d = ([sum(map(abs, row), Fraction(0)) for row in matrix] for matrix in (A, G, Bt))

    def largest(matrix: Matrix, first: list[Fraction], second: list[Fraction]) -> Fraction:
        return max(
            sum((abs(n) * a * b for n, a, b in zip(column, first, second, strict=True)), Fraction(0))
            for column in _transposed(matrix)
        )

    return max(largest(A, g, d) / taps, largest(G, y, d) / outputs, largest(Bt, y, g) / taps)


def _points(count: int) -> list[Fraction]:
    """0, 1, −1, 2, −2, …: small numbers, as their powers stand in the matrices."""
    return [Fraction((index + 1) // 2 * (1 if index % 2 else -1)) for index in range(count)]


def _evaluation(points: Sequence[Fraction], coefficients: int) -> Matrix:
    """V: takes the coefficients of a polynomial, constant first, to its values at the points and at ∞."""
    leading = (Fraction(0),) * (coefficients - 1) + (Fraction(1),)
    return (*(tuple(point**power for power in range(coefficients)) for point in points), leading)


def _transposed(matrix: Matrix) -> Matrix:
    return tuple(zip(*matrix, strict=True))


def _with_roots(roots: Sequence[Fraction]) -> tuple[Fraction, ...]:
    """The coefficients of Π (x − root), constant first."""
    product = [Fraction(1)]
    for root in roots:
        raised, scaled = [Fraction(0), *product], [*product, Fraction(0)]
        product = [higher - root * same for higher, same in zip(raised, scaled, strict=True)]
    return tuple(product)
