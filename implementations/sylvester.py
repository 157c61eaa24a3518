# %% [markdown]
# # Sylvester flows: many hidden units in one layer
#
# A [planar map](vi_flows.ipynb) has one hidden unit. It pushes every point along one
# direction (left). So a posterior of many variables takes many such maps in a row.
#
# Van den Berg, Hasenclever, Tomczak and Welling
# ([2018](https://arxiv.org/abs/1803.05649)) give a map many units, each with a
# direction of its own (right). An identity of Sylvester keeps the determinant cheap.
#
# The result: in eight dimensions, four such maps leave about half of the KL of four
# planar maps. Against as many *units*, 32 planar maps, the advantage is gone. But a
# deep chain has become a shallow one. We add what the paper has not: the inverse.

# %%
"""Sylvester Normalizing Flows (van den Berg, Hasenclever, Tomczak, Welling, 2018)."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

import torch
from matplotlib.patches import Rectangle
from torch import Tensor
from torch.func import jacrev, vmap
from torch.nn.functional import linear, normalize

from implementations.core.bijection import Bijection, Compose, Inverse, Mapped
from implementations.core.claims import all_checks, check, claim, table
from implementations.core.diagrams import arrow, cells, diagram, words
from implementations.core.digits import digits
from implementations.core.environment import device, seed
from implementations.core.fit import fit
from implementations.core.flow import Base, Flow, StandardNormal
from implementations.core.nets import size
from implementations.core.plots import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    figure,
    label_lines,
    scatter,
    show,
    square,
    thumbnail,
)
from implementations.core.roots import find_root
from implementations.core.toy import Banana
from implementations.core.weights import reverse_kl
from implementations.vi_flows import (
    Diagonal,
    LatentGaussian,
    Planar,
    Steering,
    bent,
    learn_digits,
    vi_flows,
)

# %% Where one map of each kind moves points tags=["plot"]
if __name__ == "__main__":
    ticks = torch.linspace(-2.1, 2.1, 11)
    points, turn = torch.cartesian_prod(ticks, ticks), math.radians(25)
    u, w = torch.tensor((0.6, 0.4)), torch.tensor((1.5, -0.4))
    q = torch.tensor(
        [[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]]
    )
    r, tilde = torch.tensor([[[0.7, 0.1], [0, 0.6]], [[0.9, -1.1], [0, 0.9]]])
    units = (points @ q @ tilde.T).tanh()
    panels = (
        ("planar: one unit", (points @ w).tanh()[:, None] * u, ORANGE),
        ("Sylvester: two units", units @ r.T @ q.T, BLUE),
    )
    view = (-2.9, 2.9, -2.9, 2.9)
    fig, axes = figure(columns=2, width=5.6, box=view)
    for ax, (title, push, colour) in zip(axes, panels, strict=True):
        look = {"angles": "xy", "scale_units": "xy", "scale": 1.3, "width": 0.007}
        ax.quiver(*points.T, *push.T, color=colour, **look)
        ax.set(xlim=view[:2], ylim=view[2:], aspect="equal", title=title)
        ax.axis("off")
    show(
        fig,
        "Two fields of arrows. Those of a planar map are all parallel, and change sign "
        "at a line. Those of a Sylvester map with two units have a direction of their "
        "own at each point.",
    )

# %% [markdown]
# ## The idea in one picture

# %% A Sylvester map, and its determinant tags=["plot"]
if __name__ == "__main__":
    fig, (ax,) = diagram(width=4.6, height=3.3)
    full, side = 0, 0.19
    tall = [[0] * 3 for _ in range(6)]
    wide = [[0] * 6 for _ in range(3)]
    upper = [[1 if j >= i else None for j in range(3)] for i in range(3)]
    small = [[2 if j >= i else None for j in range(3)] for i in range(3)]
    middle = 2.35
    words(ax, (0.42, middle), "$z' = z +$")
    q = cells(ax, (0.85, middle - 3 * side), tall, side)
    r = cells(ax, (1.55, middle - 1.5 * side), upper, side)
    words(ax, (2.38, middle), "$h\\,($")
    tilde = cells(ax, (2.55, middle - 1.5 * side), small, side)
    flat = cells(ax, (3.22, middle - 1.5 * side), wide, side)
    words(ax, (4.48, middle), "$z)$")
    for shape, name in (
        (q, "$Q$"),
        (r, "$R$"),
        (tilde, "$\\tilde R$"),
        (flat, "$Q^\\top$"),
    ):
        words(ax, (shape.x, middle + 0.78), name)
    big = cells(ax, (0.25, 0.35), [[3] * 6 for _ in range(6)], side)
    mid = cells(
        ax,
        (2.15, 0.92 - 1.5 * side),
        [[1 if j >= i else None for j in range(3)] for i in range(3)],
        side,
    )
    diagonal = cells(
        ax,
        (3.5, 0.92 - 1.5 * side),
        [[1 if j == i else None for j in range(3)] for i in range(3)],
        side,
    )
    arrow(ax, big, mid, "the same", beside=(0, 0.14))
    arrow(ax, mid, diagonal)
    words(ax, (0.82, 0.17), "determinant, $D \\times D$")
    words(ax, (2.43, 0.17), "$M \\times M$")
    words(ax, (3.78, 0.17), "product")
    show(
        fig,
        "Above, the map: z goes through a wide matrix, Q transposed, a triangular one, "
        "h, another triangular one, and the tall Q. Below, a determinant of six by six "
        "equals one of three by three. That is triangular, so it is the product of the "
        "three numbers on its diagonal.",
    )

# %% [markdown]
# $Q^\top$ looks at $z$ from $M$ directions that are at right angles. Between them there
# is a small network with $M$ hidden units. $Q$ takes its outputs back. What is at right
# angles to all of $Q$ does not move.
#
# ## Symbols and direction
#
# | Symbol | In code | Meaning |
# | :-- | :-- | :-- |
# | $z$, $z'$ | `x`, `z` | $D$ numbers, and what the map makes of them |
# | $Q$ | `q` | $D$ rows, and $M$ columns of length 1 at right angles |
# | $R$, $\tilde R$, $b$ | `r`, `tilde`, `b` | upper triangular weights, and biases |
# | $s$, $h$ | `s`, `tanh` | what the $M$ hidden units get, and what they do |
#
# As in the notebook on planar maps, `forward` of a map goes from noise to the
# posterior, as in the paper. A `Flow` of this project goes from data to noise. So the
# flow is the `Inverse` of the chain.
#
# ## Many units, a small determinant
#
# Give a planar map $M$ units. $A$ has $D$ rows and $M$ columns, $B$ the reverse:
# $$z' = z + A\,h(Bz + b)$$
# The Jacobian has $D \times D$ numbers. Sylvester's identity makes it small:
# $$\det(I_D + A\,C) = \det(I_M + C A),\qquad C = \mathrm{diag}(h')\,B$$
# Is the map invertible? For any $A$ and $B$ that is hard to say. So the paper takes
# $A = QR$ and $B = \tilde R Q^\top$. Then $Q^\top Q = I$ drops out, and
# $CA = \mathrm{diag}(h')\,\tilde R R$ is upper triangular:
# $$\log|\det J| = \sum_{i=1}^M \log(1 + h'(s_i)\, r_{ii} \tilde r_{ii})$$
# For $h = \tanh$, whose slope is between 0 and 1, each factor is positive if
# $r_{ii} \tilde r_{ii} > -1$. The authors' code takes a tanh of all $r_{ii}$ and
# $\tilde r_{ii}$. That is enough.
#
# (Is $M = 1$ the planar map? No: it pushes along $q$, where it also looks. A planar map
# is $M = 2$ with one unit off: it looks along $q_2$, and pushes along both.)
#
# ## The inverse, unit by unit
#
# Put $v = Q^\top z$. Then $v' = v + R\,h(\tilde R v + b)$, in $M$ dimensions. As both
# matrices are upper triangular, the last unit depends on itself alone. Start there.
# When all $j > i$ are known,
# $$s_i + r_{ii} \tilde r_{ii} \tanh(s_i) = c_i$$
# $$c_i = \tilde r_{ii}\Big(v'_i - \sum_{j > i} r_{ij} \tanh s_j\Big)
# + \sum_{j>i} \tilde r_{ij} v_j + b_i$$
# This is the equation of a planar map. Its left side rises, and differs from $s_i$ by
# $|r_{ii} \tilde r_{ii}|$ at most. So `find_root` knows exactly where to look. Even
# $\tilde r_{ii} = 0$ is no problem.
#
# In the code $p = 1 + r_{ii} \tilde r_{ii}$, and a slope is $t^2 + p\,(1 - t^2)$ with
# $t = \tanh s$. That is a sum of positive terms.


# %%
def times(a: Tensor, v: Tensor) -> Tensor:
    """A v for each row v, where A is one matrix, or one for each row."""
    # Many small products are slow on a CPU as matrices.
    return linear(v, a) if a.ndim == 2 else (a * v[..., None, :]).sum(-1)


class Sylvester(Bijection):
    """z' = z + Q R tanh(R̃ Qᵀ z + b), with triangular R and R̃.

    Q has `units` orthonormal columns, which a class makes of so many `raw` numbers. All
    numbers are free, or affine in a context of width `context`. The map starts close to
    the identity.
    """

    def __init__(self, dim: int, units: int, raw: int = 0, context: int = 0) -> None:
        super().__init__((dim,), context=context)
        self.units = units
        both = torch.randn(units, units) / units**0.5
        r, tilde = torch.randn(2, units)
        # Above the diagonal is R, which starts small, and below it R̃, transposed.
        start = (0.1 * both.triu() + both.tril(-1)).flatten(), 0.1 * r, tilde
        start = torch.cat((*start, torch.randn(units + raw)))
        self.split = (units**2, units, units, units, raw)
        self.steering = Steering(start, context)

    @abstractmethod
    def columns(self, raw: Tensor) -> Tensor:
        """Q, of shape (dim, units), or (batch, dim, units)."""

    def forward(self, x: Tensor, context: Tensor | None = None) -> Mapped:
        q, r, tilde, b, p = self._steered(context)
        s = times(tilde, times(q.mT, x)) + b
        return x + times(q, times(r, s.tanh())), bent(s, p)[1].sum(-1)

    def inverse(self, z: Tensor, context: Tensor | None = None) -> Mapped:
        q, r, tilde, b, p = self._steered(context)
        moved = times(q.mT, z)
        # Of units that are solved: v = Qᵀz, t = tanh(s), and log-slopes.
        v = t = log_slopes = moved[..., :0]
        for i in reversed(range(self.units)):
            r_i, tilde_i, p_i = r[..., i, i:], tilde[..., i, i:], p[..., i, None]
            rest = moved[..., i] - (r_i[..., 1:] * t).sum(-1)
            c = tilde_i[..., 0] * rest + (tilde_i[..., 1:] * v).sum(-1) + b[..., i]
            c, most = c[..., None], (p_i - 1).abs()
            s_i, log_slope = find_root(partial(bent, p=p_i), c, c - most, c + most)
            t = torch.cat((s_i.tanh(), t), -1)
            v = torch.cat(((rest - r_i[..., 0] * t[..., 0])[..., None], v), -1)
            log_slopes = torch.cat((log_slope, log_slopes), -1)
        return z - times(q, times(r, t)), log_slopes.sum(-1)

    def _steered(self, context: Tensor | None) -> tuple[Tensor, ...]:
        """Return Q, R, R̃, b, and p = 1 + r_ii r̃_ii > 0."""
        both, r, tilde, b, raw = self.steering(context).split(self.split, -1)
        both, r, tilde = both.unflatten(-1, (self.units,) * 2), r.tanh(), tilde.tanh()
        upper = both.triu(1) + r.diag_embed()
        other = both.mT.triu(1) + tilde.diag_embed()
        return self.columns(raw), upper, other, b, 1 + r * tilde + 1e-18


# %% [markdown]
# The start is close to the identity, since $R$ is small. It must not be 0: all else is
# multiplied by $R$, and would have no gradient.
#
# ## Three ways to a matrix Q
#
# A network, or a gradient step, knows nothing of right angles. It gives raw numbers.
#
# *Orthogonal* (O-SNF): start from a raw matrix, and repeat
# $$Q \leftarrow Q + \tfrac12 Q\,(I - Q^\top Q)$$
# Each singular value $\sigma$ becomes $\tfrac12\sigma(3 - \sigma^2)$, which leads to 1.
#
# *Householder* (H-SNF): multiply reflections. Each is exact for any $v$ but 0, and
# $M = D$:
# $$H = I - \frac{2 v v^\top}{\lVert v\rVert^2}$$
#
# *Triangular* (T-SNF): learn no $Q$. It is $I$ in one map, and reverses the order in
# the next. Again $M = D$.


# %%
def orthogonal(raw: Tensor, steps: int = 30) -> Tensor:
    """Q ← Q + ½ Q (I - QᵀQ), from a raw matrix over its Frobenius norm.

    Both are of shape (…, D, M), with M ≤ D. The columns of Q are orthonormal if the
    raw ones are independent. A singular value of 10⁻³ takes about 20 steps.
    """
    q = raw / torch.linalg.matrix_norm(raw, keepdim=True)
    eye = torch.eye(raw.shape[-1], dtype=raw.dtype, device=raw.device)
    for _ in range(steps):
        q = q + q @ (eye - q.mT @ q) / 2
    return q


def householder(v: Tensor) -> Tensor:
    """Q = H_1 … H_K, a product of reflections H_k = I - 2 v_k v_kᵀ / ‖v_k‖².

    v is of shape (…, K, D), and Q of shape (…, D, D). The length of a v_k does not
    matter, but 0 has no direction: there, H_k = I.
    """
    v = normalize(v, dim=-1)[..., None]
    q = torch.eye(v.shape[-2], dtype=v.dtype, device=v.device)
    for v_k in reversed(v.unbind(-3)):
        q = q - 2 * v_k * (v_k * q).sum(-2, keepdim=True)
    return q


# %%
class OrthogonalSylvester(Sylvester):
    """O-SNF: Q has up to `units` columns, made orthogonal step by step."""

    def __init__(self, dim: int, units: int = 8, context: int = 0) -> None:
        units = min(units, dim)
        super().__init__(dim, units, dim * units, context)

    def columns(self, raw: Tensor) -> Tensor:
        return orthogonal(raw.unflatten(-1, (self.x_shape[0], self.units)))


class HouseholderSylvester(Sylvester):
    """H-SNF: Q is a product of reflections, and has as many columns as rows."""

    def __init__(self, dim: int, reflections: int = 8, context: int = 0) -> None:
        super().__init__(dim, dim, dim * reflections, context)
        self.reflections = reflections

    def columns(self, raw: Tensor) -> Tensor:
        return householder(raw.unflatten(-1, (self.reflections, self.units)))


class TriangularSylvester(Sylvester):
    """T-SNF: Q is a permutation, by which the components come in `order`."""

    q: Tensor

    def __init__(
        self, dim: int, order: Sequence[int] | None = None, context: int = 0
    ) -> None:
        super().__init__(dim, dim, context=context)
        order = range(dim) if order is None else order
        self.register_buffer("q", torch.eye(dim)[:, list(order)])

    def columns(self, raw: Tensor) -> Tensor:
        return self.q


# %% [markdown]
# The authors' chain has four maps, with 8 columns or 8 reflections. A network gives all
# parameters, for 64 hidden variables. Without a context, they are free.


# %%
def sylvester(
    dim: int,
    layers: int = 4,
    kind: Literal["orthogonal", "householder", "triangular"] = "orthogonal",
    units: int = 8,
    context: int = 0,
) -> Flow:
    """Build q_K for vectors of width `dim`: a Gaussian, and `layers` Sylvester maps.

    `units` is how many columns an orthogonal Q has, or of how many reflections it is a
    product. Triangular maps have no such number: they reverse the order in turn.
    """
    f: dict[str, Callable[[int], Bijection]] = {
        "orthogonal": lambda k: OrthogonalSylvester(dim, units, context),
        "householder": lambda k: HouseholderSylvester(dim, units, context),
        "triangular": lambda k: TriangularSylvester(
            dim, range(dim)[:: -1 if k % 2 else 1], context
        ),
    }
    chain = Compose(Diagonal(dim, context), *(f[kind](k) for k in range(layers)))
    return Flow(StandardNormal((dim,)), Inverse(chain))


# %% [markdown]
# Check all three: the log-determinant against automatic differentiation, and the
# inverse. A `check` stops the notebook when a number is not inside its bound; all are
# listed at the end.


# %%
def shake(f: Bijection) -> None:
    """Make the map one of float64, and add noise of size 1 to all parameters."""
    for numbers in f.double().parameters():
        numbers.data.add_(torch.randn_like(numbers))


# %%
if __name__ == "__main__":
    seed()
    x = 2 * torch.randn(200, 6).double()
    three: dict[str, Bijection] = {
        "orthogonal": OrthogonalSylvester(6, 3),
        "Householder": HouseholderSylvester(6),
        "triangular": TriangularSylvester(6, range(6)[::-1]),
    }
    for name, layer in three.items():
        shake(layer)
        with torch.no_grad():
            z, log_det = layer(x)
            back = layer.inverse(z)[0]
        J = vmap(jacrev(lambda row, f=layer: f(row[None])[0][0]))(x)
        wrong = (log_det - torch.linalg.slogdet(J).logabsdet).abs().max().item()
        lost = (back - x).abs().max().item()
        print(f"{name}: log |det J| off by {wrong:.1g}, there and back by {lost:.1g}")
        check(f"{name}: log |det J|, by autograd", wrong, below=1e-9)
        check(f"{name}: error of the round trip", lost, below=1e-8)

# %% [markdown]
# A usual way to invert $z' = z + g(z)$ is to repeat $z \leftarrow z' - g(z)$. For that
# $g$ must contract. Here the triangles help: the last unit contracts by
# $|r_{ii} \tilde r_{ii}| < 1$, and when it has settled, so does the one before it. But
# close to 1 this is slow. Beyond 1, which other constraints would allow, it fails.


# %%
def by_iteration(f: Bijection, z: Tensor, steps: int) -> list[Tensor]:
    """x_{k+1} = z - (f(x_k) - x_k), from x_0 = z: every step."""
    found = [z]
    for _ in range(steps):
        found.append(z - (f(found[-1])[0] - found[-1]))
    return found


# %%
if __name__ == "__main__":
    seed()
    x, errors, solved = torch.randn(500, 8).double(), {}, 0.0
    for diagonal in (0.5, 0.9, 0.99):
        layer = HouseholderSylvester(8)
        shake(layer)
        # Both diagonals: their product is what the curve is named by.
        root = torch.tensor(diagonal**0.5).atanh()
        layer.steering.start.data[64:80] = root
        with torch.no_grad():
            z = layer(x)[0]
            found = torch.stack(by_iteration(layer, z, 60))
            missed = (layer.inverse(z)[0] - x).abs().max().item()
        errors[diagonal] = (found - x).abs().amax(2).median(1).values.cpu()
        solved = max(solved, missed)
    check("inverse, unit by unit: largest error", solved, below=1e-8)
    check("inverse by 30 iterations: median error", errors[0.99][30].item(), above=1e-3)

# %% Inverses by iteration, and orthogonal matrices by iteration tags=["plot"]
if __name__ == "__main__":
    fig, axes = figure(columns=2, width=7.2)
    for (diagonal, error), colour in zip(
        errors.items(), (GREEN, BLUE, ORANGE), strict=True
    ):
        axes[0].plot(error.clamp(min=1e-16), color=colour, label=f"{diagonal}")
    axes[0].axhline(solved, color=GREY, lw=0.8, ls=":", label="unit by unit")
    axes[0].set(xlabel="iteration", title="inverse: error for $r \\tilde r$ = …")
    for columns, colour in ((2, GREEN), (4, BLUE), (6, PURPLE), (8, ORANGE)):
        raw, off = torch.randn(50, 8, columns).double(), []
        for k in (steps := range(0, 31, 3)):
            q = orthogonal(raw, k)
            off.append((q.mT @ q - torch.eye(columns)).abs().amax((1, 2)).median())
        curve = torch.stack(off).clamp(min=1e-16)
        axes[1].plot(steps, curve, color=colour, label=f"{columns} columns")
    axes[1].set(xlabel="step", title="error of $Q^\\top Q = I$, 8 rows")
    for ax in axes:
        ax.set(yscale="log", ylim=(1e-17, 20))
        label_lines(ax)
    show(
        fig,
        "Left, the error of the inverse by iteration falls fast if the product of the "
        "diagonals is 0.5, and hardly for 0.99. Unit by unit, it is near rounding. "
        "Right, with two or four columns of eight rows, Q is orthogonal after ten "
        "steps; with eight columns it takes twice as many.",
    )

# %% [markdown]
# On the right: with few columns, ten steps make $Q$ orthogonal. A square raw matrix
# takes longer, as its least singular value is often small. If it is 0, no number of
# steps helps. Then the log-determinant is wrong, and nothing says so. Reflections have
# no such trouble.
#
# ## Four bananas in eight dimensions
#
# Now a posterior that has a price for a narrow map: four independent bananas in eight
# dimensions, all turned by a random rotation. Its density is known, so
# $\mathrm{KL}(q \Vert p)$ is known too, not just up to a constant.


# %%
class Bananas(Base):
    """Bananas in (z_1, z_2), (z_3, z_4), …, and then a rotation, always the same."""

    turn: Tensor

    def __init__(self, dim: int = 8) -> None:
        super().__init__((dim,))
        self.banana = Banana()
        v = torch.randn(dim, dim, generator=torch.Generator().manual_seed(0))
        self.register_buffer("turn", householder(v))

    def log_prob(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        each = self.banana.log_prob(self.straight(z))
        return each.view(-1, self.shape[0] // 2).sum(1)

    def sample(self, n: int, context: Tensor | None = None) -> Tensor:
        return self.banana.sample(n * self.shape[0] // 2).view(n, -1) @ self.turn.T

    def straight(self, z: Tensor) -> Tensor:
        """Undo the rotation; return all pairs, of shape (n · dim / 2, 2)."""
        return (z @ self.turn).reshape(-1, 2)


def learn_target(flow: Flow, target: Base, steps: int = 600) -> float:
    """Minimise KL(q ‖ p); return it, in nats, estimated on 4,000 draws."""
    fit(flow, lambda: reverse_kl(flow, target.log_prob, 256), steps, lr=1e-2, clip=5)
    with torch.no_grad():
        return reverse_kl(flow, target.log_prob, 4000).item()


# %% [markdown]
# All chains begin with a Gaussian of independent components. All take as many steps.
# We compare at equal *depth*, which is the number of maps, and at equal numbers of
# hidden *units*, which is about equal numbers of parameters, too. For orthogonal maps
# we take four columns, as they need fewer than rows.

# %%
if __name__ == "__main__":
    seed()
    target, fits, gaps = Bananas().to(device()), {}, {}
    # Kind → how it is built, hidden units of a map, and numbers of maps.
    plan: dict[str, tuple[Callable[[int, int], Flow], int, tuple[int, ...]]] = {
        "planar": (vi_flows, 1, (4, 8, 32)),
        "orthogonal": (partial(sylvester, kind="orthogonal", units=4), 4, (4,)),
        "Householder": (partial(sylvester, kind="householder"), 8, (1, 4)),
        "triangular": (partial(sylvester, kind="triangular"), 8, (4,)),
    }
    for kind, (build, _, depths) in plan.items():
        for k in depths:
            fits[kind, k] = build(8, k).to(device())
            gaps[kind, k] = learn_target(fits[kind, k], target)
    table(
        ("chain", "maps", "hidden units", "parameters", "KL in nats"),
        [
            (kind, f"{k}", f"{k * plan[kind][1]}", f"{size(fits[kind, k])}", f"{g:.2f}")
            for (kind, k), g in gaps.items()
        ],
    )

# %% KL against depth, and against hidden units tags=["plot"]
if __name__ == "__main__":
    fig, axes = figure(columns=2, width=7.2)
    colours = dict(zip(plan, (ORANGE, GREEN, BLUE, PURPLE), strict=True))
    for kind, (_, units, depths) in plan.items():
        heights = [gaps[kind, k] for k in depths]
        for ax, across in zip(axes, (1, units), strict=True):
            places = [across * k for k in depths]
            ax.plot(places, heights, ".-", color=colours[kind], label=kind)
    for ax, name, ticks in zip(
        axes, ("maps", "hidden units"), ((1, 4, 8, 32),) * 2, strict=True
    ):
        ax.set(xscale="log", ylim=(0.7, 2.4), xlabel=name, title="KL in nats")
        ax.set_xticks([], minor=True)
        ax.set_xticks(ticks, [str(k) for k in ticks])
    label_lines(axes[1])
    show(
        fig,
        "Two panels of KL. Against the number of maps, four Householder maps lie far "
        "below four planar ones. Against the number of hidden units, they lie close to "
        "the line of planar maps, and the other two kinds above it.",
    )

# %% [markdown]
# At equal depth, Householder maps win clearly. One of them does as well as four planar
# maps, or better. At equal numbers of units, the two are close: 32 planar maps and four
# Householder maps, or eight and one. So the bottleneck is one of each *map*. What a
# wide map saves is depth: its units work at once, where planar maps wait.
#
# The three kinds are not equal here. Without a $Q$ to learn, the axes are fixed, and
# the bananas are not along them. Orthogonal maps of four columns leave half of the
# directions alone, and win little.

# %% Draws, turned back tags=["plot"]
if __name__ == "__main__":
    drawn = {"the truth": target.sample(400)}
    for name, chain in (
        ("4 planar", ("planar", 4)),
        ("32 planar", ("planar", 32)),
        ("4 Householder", ("Householder", 4)),
    ):
        drawn[name] = fits[chain].sample(400)
    view = (-3.0, 3.0, -2.0, 7.0)
    fig, axes = figure(columns=4, box=view)
    for ax, (name, z) in zip(axes, drawn.items(), strict=True):
        scatter(ax, target.straight(z), view, name)
    show(
        fig,
        "Four clouds, each of all pairs of coordinates after the rotation was undone. "
        "The truth is a narrow U. Four planar maps leave a round cloud. 32 planar maps "
        "and 4 Householder maps bend it, with short and blurred arms.",
    )

# %% [markdown]
# ## Digits
#
# Last, the paper's use: a model of images, where an encoder gives the parameters of all
# maps for each image. That is *amortised* inference. The model, its decoder and its
# training are those of the [planar maps](vi_flows.ipynb#a-deep-latent-gaussian-model):
# digits of 64 pixels, and 8 hidden variables.

# %%
if __name__ == "__main__":
    seed()
    train, _, test = (part.images / 16 for part in digits())
    binary, wide = test.bernoulli(), 32
    turns = [range(8)[:: -1 if k % 2 else 1] for k in range(4)]
    posteriors: dict[str, list[Bijection]] = {
        "no flow": [],
        "4 planar maps": [Planar(8, wide) for _ in turns],
        "4 triangular maps": [TriangularSylvester(8, turn, wide) for turn in turns],
        "4 Householder maps": [HouseholderSylvester(8, 8, wide) for _ in turns],
    }
    bounds, rows = {}, []
    for name, maps in posteriors.items():
        torch.manual_seed(seed())
        model = LatentGaussian(64, 8, (200,), Compose(*maps) if maps else None)
        learn_digits(model, train, 300)
        with torch.no_grad():
            weights = torch.stack([model.elbo(binary) for _ in range(50)])
        bounds[name] = weights.mean().item()
        log_p = (weights.logsumexp(0) - math.log(50)).mean().item()
        gap = log_p - bounds[name]
        rows.append((name, f"{bounds[name]:.2f}", f"{log_p:.2f}", f"{gap:.2f}"))
    table(("nats per image, test", "bound", "log-likelihood", "gap"), rows)

# %% [markdown]
# Flows gain a little on a Gaussian, and one about as much as another. Small digits
# leave little to gain: without any flow, the gap is only a fraction of a nat.
#
# ## What the paper claims, and what holds
#
# The paper claims that wide maps remove the bottleneck of planar flows. At equal depth
# that holds. It also reports better bounds for images than planar flows and IAF. Our
# digits are too easy to tell.

# %%
if __name__ == "__main__":
    wide_one, narrow = gaps["Householder", 4], gaps["planar", 4]
    claim(
        "At equal depth, four Householder maps leave {} of the KL of four planar maps",
        wide_one / narrow,
        below=0.65,
    )
    claim(
        "Four triangular maps leave {} of the KL of four planar maps",
        gaps["triangular", 4] / narrow,
        below=0.75,
    )
    claim(
        "At equal numbers of hidden units, four Householder maps leave {} of the KL of "
        "32 planar maps",
        wide_one / gaps["planar", 32],
        above=0.6,
        below=1.5,
    )
    ratio = gaps["Householder", 1] / narrow
    check("KL of one Householder map, over four planar ones", ratio, below=1.1)
    ratio = gaps["Householder", 1] / gaps["planar", 8]
    check(
        "KL of one Householder map, over eight planar ones", ratio, above=0.8, below=1.3
    )
    gain = bounds["4 Householder maps"] - bounds["no flow"]
    check("digits: nats gained by Householder maps", gain, above=-0.1, below=0.5)

# %%
if __name__ == "__main__":
    all_checks("sylvester")

# %% [markdown]
# Reported and obtained:
#
# | | The paper | Here | Why |
# | :-- | :-- | :-- | :-- |
# | images | MNIST, Omniglot, Caltech 101 and more | digits, 8×8 | nothing to download |
# | hidden variables | 64 | 8 | small images |
# | encoder | convolutions, 256 features | 200 units, 32 features | two minutes |
# | steps for an orthogonal $Q$ | until it is, 100 at most | 30 | compiles |
# | start | as linear layers start | $R$ small | close to the identity |
# | inverse | none | exact | densities of any point |
# | bound for images | better than planar flows and IAF | no clear order | easy images |
#
# ## Three things to remember
#
# 1. $\det(I_D + AC) = \det(I_M + CA)$: many units cost a small determinant.
# 2. Triangles make it a product, and give the inverse unit by unit.
# 3. A wide map saves depth, not units.
#
# ## Three to try
#
# Predict, then change the line and run.
#
# **1. Right angles, or not.** Use the raw matrix as $Q$. How close to the bananas does
# the orthogonal chain say that it comes?
#
# ```diff
# - return orthogonal(raw.unflatten(-1, (self.x_shape[0], self.units)))
# + return raw.unflatten(-1, (self.x_shape[0], self.units))
# ```
#
# <details><summary>Answer</summary>
#
# Closer than is possible: the estimate of KL falls below 0. The formula for the
# determinant needs $Q^\top Q = I$. Without it, training learns to exploit the error.
#
# </details>
#
# **2. Start at the identity.** Let $R$ start at 0. Which parameters have a gradient at
# the first step?
#
# ```diff
# - start = (0.1 * both.triu() + both.tril(-1)).flatten(), 0.1 * r, tilde
# + start = both.tril(-1).flatten(), 0 * r, tilde
# ```
#
# <details><summary>Answer</summary>
#
# $R$ alone. Everything else is multiplied by it: $\tilde R$, $b$ and $Q$ have none.
#
# </details>
#
# **3. The same side twice.** Multiply by $Q$ where $Q^\top$ belongs, with square $Q$.
# For which kinds is the log-determinant still right?
#
# ```diff
# - s = times(tilde, times(q.mT, x)) + b
# + s = times(tilde, times(q, x)) + b
# ```
#
# <details><summary>Answer</summary>
#
# For triangular maps that keep or reverse the order, and for a single reflection: each
# of these is its own inverse. With another order, or two reflections, it is wrong.
# The authors' code does this, which is right for its reversals.
#
# </details>
#
# ## What to read next
#
# - [Planar maps](vi_flows.ipynb) have one unit, and the same way to an inverse.
# - [IAF](iaf.ipynb) is another wide map, whose inverse takes as many steps.
# - [The review of flows](flows_review.ipynb) sorts all kinds of maps.

# %% tags=["plot", "thumbnail"]
if __name__ == "__main__":
    fig, ax = square()
    side, colours = 1.0, (BLUE, ORANGE, GREEN)
    for i in range(6):
        for j in range(6):
            ax.add_patch(Rectangle((j, 5 - i), 0.9, 0.9, color=GREY, alpha=0.12, lw=0))
    for i in range(3):
        for j in range(i, 3):
            colour = colours[i] if i == j else GREY
            look = {"color": colour, "alpha": 1 if i == j else 0.45, "lw": 0}
            ax.add_patch(Rectangle((1.5 + j, 3.5 - i), 0.9, 0.9, **look))
    ax.set(xlim=(-0.3, 6.2), ylim=(-0.3, 6.2))
    thumbnail(
        fig,
        "A large pale square of six by six cells. On it stands a small triangle of six "
        "cells, whose diagonal has three colours.",
    )
