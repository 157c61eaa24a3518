# %% [markdown]
# # FFJORD: any network, and one product for its trace
#
# Most flows restrict their network, so that a determinant gets cheap. Couplings move
# half of the numbers at once, and only stretch and shift them. The figure shows where
# this leads: what should be eight separate discs is joined by bridges.
#
# [Neural ODEs](neural_ode.ipynb) need a trace only. Yet for a free network it takes one
# product for each dimension. So they took planes, whose trace has a formula.
#
# Grathwohl, Chen, Bettencourt, Sutskever and Duvenaud
# ([2018](https://arxiv.org/abs/1810.01367)) *estimate* the trace by a single product.
#
# The result: any smooth network is a flow, in any dimension. The price is noise, and a
# solver that works more and more.

# %%
"""FFJORD (Grathwohl, Chen, Bettencourt, Sutskever and Duvenaud, arXiv:1810.01367)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from itertools import pairwise
from time import process_time
from typing import cast

import torch
from torch import Tensor, nn
from torch.func import jacrev, vmap
from torch.nn.functional import softplus

from implementations.core.bijection import Compose, Mapped
from implementations.core.claims import all_checks, check, claim, table
from implementations.core.diagrams import arrow, cells, diagram, words
from implementations.core.digits import baselines, bits_per_dim, dequantise, digits
from implementations.core.environment import device, seed
from implementations.core.fit import History, fit
from implementations.core.flow import Flow, StandardNormal
from implementations.core.nets import size
from implementations.core.numerics import (
    Map,
    basis,
    jacobian,
    products,
    signs,
)
from implementations.core.odes import (
    TRACES,
    Adaptive,
    Change,
    Counted,
    FixedSteps,
    Solver,
    VelocityField,
)
from implementations.core.plots import (
    BLUE,
    ORANGE,
    PURPLE,
    densities,
    figure,
    label_lines,
    show,
    square,
    thumbnail,
)
from implementations.core.toy import Toy, eight_gaussians, kl_to
from implementations.neural_ode import Continuous
from implementations.real_nvp import BatchNorm, Logit, real_nvp_vector

# %% Eight discs, and couplings; faint places are made stronger tags=["plot"]
if __name__ == "__main__":

    def root(q: Flow | Toy) -> Callable[[Tensor], Tensor]:
        """Third root of a density, which shows faint places."""
        return lambda x: q.log_prob(x) / 3

    seed()
    discs = eight_gaussians().to(device())
    draw = partial(discs.sample, 256)
    flows = {"couplings": real_nvp_vector(2, 8, (32, 32)).to(device())}
    q = flows["couplings"]
    fit(q, lambda x: -q.log_prob(x).mean(), 400, draw, lr=5e-3, clip=5)
    fig, axes = figure(columns=2, width=6.0, box=discs.box)
    shown = {"the data": root(discs), "affine couplings": root(q)}
    densities(axes, shown, discs.box, 120)
    show(
        fig,
        "Two heat maps in the same colours. The data are eight round discs on a "
        "circle, apart from each other. The couplings find all of them, of uneven "
        "shape, and join them by bridges.",
    )

# %% [markdown]
# ## The idea in one picture

# %% A trace by four products, and by one tags=["plot"]
if __name__ == "__main__":
    fig, (exact, estimated) = diagram(columns=2, width=3.4, height=2.3)
    side, blue = 0.3, [[0] * 4] * 4
    eye = [[1 if i == j else None for j in range(4)] for i in range(4)]
    diagonal = [[1 if i == j else 0 for j in range(4)] for i in range(4)]
    words(exact, (1.7, 2.1), "exact: $D$ products")
    ones = [["1" if i == j else "" for j in range(4)] for i in range(4)]
    units = cells(exact, (0.25, 0.6), eye, side, ones)
    matrix = cells(exact, (1.95, 0.6), diagonal, side)
    arrow(exact, units.right, matrix.left, "each", beside=(0, 0.14))
    words(exact, (1.7, 0.3), r"$\sum_i\, e_i^\top J\, e_i = \mathrm{Tr}\,J$", ORANGE)
    words(estimated, (1.7, 2.1), "estimated: one product")
    drawn = ["+", "–", "–", "+"]
    cells(estimated, (0.2, 1.05), [[3] * 4], side, [drawn])
    cells(estimated, (1.5, 0.6), blue, side)
    cells(estimated, (2.8, 0.6), [[3]] * 4, side, [[each] for each in drawn])
    words(estimated, (0.8, 1.55), "$v^\\top$", PURPLE)
    words(estimated, (2.1, 1.91), "$J$", BLUE)
    words(estimated, (2.95, 1.91), "$v$", PURPLE)
    words(estimated, (1.7, 0.3), r"$v^\top J\, v$, right on average", ORANGE)
    show(
        fig,
        "Left, each of four unit vectors is multiplied by a matrix, to find its "
        "diagonal. Right, one row of random signs, the matrix, and the same signs as a "
        "column: one product, whose value is right on average.",
    )

# %% [markdown]
# Multiply the matrix by random signs from both sides. On average only the diagonal is
# left, since different signs cancel. So one product is enough for an unbiased guess.
#
# ## Symbols and direction
#
# | Symbol | In code | Meaning |
# | :-- | :-- | :-- |
# | $g$, $J$ | `g` | velocity (the paper's $f$), and its matrix of derivatives |
# | $v$ | `v` | a random vector (the paper's $\epsilon$) |
# | $S$ | `s` | the symmetric part of $J$: $(J + J^\top) / 2$ |
# | $D$, $H$ | `dim` | how many numbers an event has, and a narrow layer |
#
# `forward` goes from data at $t = 1$ to noise at 0. The paper also puts noise at the
# start and data at the end.
#
# ## One product for a trace
#
# Let the parts of $v$ have mean 0, variance 1, and no correlation. Then (eq. 7)
# $$\mathrm E\, v^\top J v = \sum_{ij} J_{ij}\, \mathrm E\, v_i v_j
# = \sum_i J_{ii} = \operatorname{Tr} J$$
# Backpropagation gives $v^\top J$ at about the cost of the network itself.


# %%
def hutchinson(g: Map, z: Tensor, v: Tensor) -> Mapped:
    """g(z), and vᵀ J v of shape (batch,), by one product (eq. 7)."""
    dz, times_j = products(g, z)
    return dz, (times_j(v) * v).sum(1)


# %% [markdown]
# How far off is it? Only $S$ counts, since $v^\top J v = v^\top S v$. (The paper has no
# formulas for this.) For random *signs*, $v_i^2 = 1$: the diagonal has no noise. For
# *normals*, $v_i \sim \mathcal N(0, 1)$, it has.
# $$\operatorname{Var}_{\text{signs}} = 2 \sum_{i \ne j} S_{ij}^2,\qquad
# \operatorname{Var}_{\text{normals}} = 2 \sum_{ij} S_{ij}^2$$


# %%
def variances(j: Tensor) -> dict[str, Tensor]:
    """Variance of vᵀ J v for each kind of v, of shape (batch,); J is (batch, D, D)."""
    s = (j + j.mT) / 2
    whole = 2 * s.square().sum((1, 2))
    on_diagonal = 2 * s.diagonal(dim1=1, dim2=2).square().sum(1)
    return {"signs": whole - on_diagonal, "normals": whole}


# %% [markdown]
# Try both on a matrix that stretches and turns. `check` stops the notebook when a
# number is not inside its bound; all checks are listed at the end.

# %%
if __name__ == "__main__":
    seed()
    j = torch.tensor([[1.0, 3.0], [-2.0, 4.0]], device=device())
    z, rows = torch.zeros(200_000, 2, device=device()), []
    for kind, formula in variances(j[None]).items():
        (v,) = TRACES[kind](z)
        found = hutchinson(lambda z: z @ j.T, z, v)[1]
        off = (found.mean() - j.trace()) / (found.std() / len(found) ** 0.5)
        mean, var, expected = found.mean().item(), found.var().item(), formula.item()
        rows.append((kind, f"{mean:.2f}", f"{var:.2f}", f"{expected:g}"))
        check(f"{kind}: trace, in standard errors", abs(off.item()), below=4.5)
        check(f"{kind}: variance / formula", var / expected, above=0.95, below=1.05)
    table(("noise", "mean (the trace is 5)", "variance", "by formula"), rows)

# %% [markdown]
# ## A free network
#
# Now the network may be anything smooth. That of the authors' code has a gate and a
# shift of the time in each layer (the paper's text only appends $t$ to the input):
# $$h' = (W h + b) \odot \sigma(a t + c) + d\, t$$


# %%
class GatedLayer(nn.Module):
    """(W h + b) ⊙ σ(a t + c) + d t: the authors' layer "concatsquash".

    h is (batch, n_in); the time is of shape (), or (batch, 1) with one for each row.
    """

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.linear = nn.Linear(n_in, n_out)
        of_time = (nn.Parameter(torch.empty(n_out).uniform_(-1, 1)) for _ in range(3))
        self.a, self.c, self.d = of_time

    def forward(self, t: Tensor, h: Tensor) -> Tensor:
        return self.linear(h) * (self.a * t + self.c).sigmoid() + self.d * t


class GatedNetwork(VelocityField):
    """g(t, z) by gated layers, 0 until it is trained: the flow is then the identity.

    Its activation must be smooth: tanh on the plane, softplus for many numbers.
    """

    def __init__(
        self,
        dim: int,
        hidden: Sequence[int] = (64, 64, 64),
        activation: Callable[[Tensor], Tensor] = torch.tanh,
    ) -> None:
        super().__init__(dim)
        layers = [GatedLayer(*ends) for ends in pairwise((dim, *hidden, dim))]
        for weight in (*layers[-1].linear.parameters(), layers[-1].d):
            nn.init.zeros_(weight)
        self.layers = cast(Sequence[GatedLayer], nn.ModuleList(layers))
        self.activation = activation

    def forward(self, t: Tensor, z: Tensor) -> Tensor:
        *first, last = self.layers
        for layer in first:
            z = self.activation(layer(t, z))
        return last(t, z)


def ffjord(
    dim: int,
    hidden: Sequence[int] = (64, 64, 64),
    blocks: int = 1,
    trace: str = "signs",
    solve: Solver | None = None,
    activation: Callable[[Tensor], Tensor] = torch.tanh,
) -> Flow:
    """Build FFJORD for vectors of width `dim`, by default as for the paper's Figure 2.

    `blocks` equations follow each other, each with a network of its own. In training,
    `trace` estimates with "signs" or "normals", or is "exact", as it is in evaluation.
    Six steps of a method of order 4 solve each, unless another solver is given (the
    paper's is adaptive).
    """
    fields = (GatedNetwork(dim, hidden, activation) for _ in range(blocks))
    maps = [
        Continuous(g, FixedSteps(6) if solve is None else solve, trace) for g in fields
    ]
    return Flow(StandardNormal((dim,)), maps[0] if blocks == 1 else Compose(*maps))


# %% [markdown]
# `Continuous`, the map of [neural ODEs](neural_ode.ipynb), follows $z$ and
# $\int v^\top J v\,dt$ together. In evaluation it takes the exact trace. (A line of the
# authors' code does so on the plane only. Then test figures are noisy.) Check random
# weights against automatic differentiation.

# %%
if __name__ == "__main__":
    seed()
    rows = []
    for dim in (2, 16, 64):
        g, z = GatedNetwork(dim).to(device()).double(), torch.randn(4, dim).double()
        for weights in g.parameters():
            nn.init.normal_(weights, std=0.3)
        z, t = z.to(device()), torch.tensor(0.3, device=device()).double()
        j = vmap(jacrev(lambda row, g=g, t=t: g(t, row[None])[0]))(z)
        trace = j.diagonal(dim1=1, dim2=2).sum(1)
        off = (g.with_trace(t, z, basis(z))[1] - trace).abs().max().item()
        spreads = (f"{var.mean().sqrt():.2g}" for var in variances(j).values())
        rows.append((f"{dim}", *spreads))
        check(f"{dim} numbers: trace, less that by autograd", off, below=1e-9)
    table(("D products, or one", "spread with signs", "with normals"), rows)

# %% [markdown]
# ## Eight discs
#
# We train a free network on batches of 256, with signs. Beside it stand the couplings
# of the first figure, with 400 batches. FFJORD gets 250. Both have about 9,000
# parameters. During training we count how often an adaptive solver would evaluate the
# velocity.


# %%
def evaluations(change: Change, x: Tensor, tolerance: float, most: int = 1000) -> int:
    """Count an adaptive solver's evaluations from data to noise; it stops at `most`."""
    counted = Counted(Adaptive(tolerance))

    def limited(t: Tensor, state: Tensor) -> Tensor:
        if counted.evaluations >= most:
            raise OverflowError(f"evaluations: more than {most}")
        return change(t, state)

    state = torch.cat((x, x.new_zeros(len(x), 1)), 1)
    with torch.no_grad(), suppress(OverflowError):
        counted(limited, state, x.new_tensor((1.0, 0.0)))
    return counted.evaluations


def learn(flow: Flow, target: Toy, steps: int) -> tuple[History, list[int]]:
    """Fit on batches of 256; ten times, note the loss and the evaluations."""
    held_out, counts = target.sample(300), []

    def validate() -> Tensor:
        f = flow.bijection
        assert isinstance(f, Continuous)
        counts.append(evaluations(f.change(held_out), held_out, 1e-5))
        return -flow.log_prob(held_out).mean()

    # The authors' weight decay, which is to keep the equation easy to solve.
    params = [{"params": [*flow.parameters()], "weight_decay": 1e-5}]
    history = fit(
        flow,
        lambda x: -flow.log_prob(x).mean(),
        steps,
        partial(target.sample, 256),
        lr=1e-2,
        params=params,
        clip=5,
        validate=validate,
        every=max(1, steps // 10),
    )
    return history, counts


# %%
if __name__ == "__main__":
    seed()
    flow = ffjord(2).to(device())
    start = process_time()
    history, counts = learn(flow, discs, 250)
    spent = {"FFJORD": process_time() - start}
    f = flow.bijection
    assert isinstance(f, Continuous)
    with torch.no_grad():
        x = discs.sample(2000)
        logs = [flow.log_prob(x)]
        f.solve = FixedSteps(12)
        logs.append(flow.log_prob(x))
    cheated = (logs[0] - logs[1]).mean().item()
    longer = real_nvp_vector(2, 8, (32, 32)).to(device())
    start = process_time()
    fit(longer, lambda x: -longer.log_prob(x).mean(), 2500, draw, lr=5e-3, clip=5)
    spent["couplings, longer"] = process_time() - start
    flows |= {"couplings, longer": longer, "FFJORD": flow}
    gaps, rows = {name: kl_to(discs, q, 5000) for name, q in flows.items()}, []
    for name, q in flows.items():
        seconds = f"{spent[name]:.0f}" if name in spent else ""
        rows.append((name, f"{size(q):,}", seconds, f"{gaps[name]:.3f}"))
    table(("flow", "parameters", "seconds", "gap in nats"), rows)

# %% [markdown]
# After training, twelve steps take the place of six: the gap is that of the equation,
# and not of a coarse solver. Parameters are equal. A batch takes FFJORD several times
# as long, so the couplings "longer" learn from 2,500 batches. (Seconds are those of the
# processor, with what FFJORD's validation takes.)
#
# This is one shape, of separate pieces. On a pinwheel of five arms couplings came
# closer, in a shorter trial with one seed.

# %% Three densities; faint places are made stronger tags=["plot"]
if __name__ == "__main__":
    fig, axes = figure(columns=3, box=discs.box)
    shown = {"the data": discs, **flows}
    densities(axes, {name: root(q) for name, q in shown.items()}, discs.box, 90)
    show(
        fig,
        "Three heat maps in the same colours. The couplings join the discs by bridges. "
        "FFJORD has eight round discs, with faint threads at most.",
    )

# %% From noise to data: 1,500 points, and the velocity tags=["plot"]
if __name__ == "__main__":
    fig, axes = figure(columns=4, box=discs.box)
    line = torch.linspace(-2.8, 2.8, 12, device=device())
    places = torch.cartesian_prod(line, line)
    with torch.no_grad():
        times = torch.linspace(0, 1, 4, device=device())
        stages = FixedSteps(24)(f.g, flow.base.sample(1500), times)
        arrows = [f.g(t, places).cpu() for t in times]
    for ax, points, velocity, t in zip(axes, stages, arrows, times, strict=True):
        ax.plot(*points.cpu().T, ".", color=BLUE, markersize=1.5, alpha=0.6)
        look = {"color": ORANGE, "scale": 50, "width": 0.006}
        ax.quiver(*places.cpu().T, *velocity.T, **look)
        ax.set(xlim=discs.box[:2], ylim=discs.box[2:], aspect="equal")
        ax.set_title(f"t = {t:.2g}")
        ax.axis("off")
    show(
        fig,
        "Points at four times, with arrows of the velocity. A round cloud opens in its "
        "middle, and gathers in eight discs on a circle. The arrows change with time.",
    )

# %% [markdown]
# ## One vector for a whole solution
#
# The solver follows $\int v^\top J v\,dt$. The vector $v$ is drawn once, before it
# starts, for each point (eq. 8). Then the equation is as smooth as the network, and
# $$\int_0^1 v^\top J v\,dt = v^\top \Big(\int_0^1 J\,dt\Big)\, v$$
# So the whole solution has one estimate, of the trace of one matrix. A common mistake
# draws $v$ anew at each evaluation.


# %%
def redrawn(f: Continuous, x: Tensor) -> Change:
    """The change of (z, ∫ vᵀ J v dt) with v drawn at each evaluation: a mistake."""
    return lambda t, state: f.change(x)(t, state)


# %% What the solver integrates, along the path of one point tags=["plot"]
if __name__ == "__main__":
    torch.manual_seed(0)
    with torch.no_grad():
        times = torch.linspace(1, 0, 201, device=device())
        path = FixedSteps(200)(f.g, discs.sample(1), times)[:, 0]
        along = partial(f.g, times[:, None])
        trace = sum(hutchinson(along, path, e)[1] for e in basis(path))
        held = signs(path[:1])[0].expand_as(path)
        ways = {"one $v$": held, "$v$ redrawn": signs(path)[0]}
        fig, axes = figure(columns=2, width=6.4, height=2.2)
        for ax, (name, v) in zip(axes, ways.items(), strict=True):
            found = hutchinson(along, path, v)[1]
            ax.plot(times.cpu(), found.cpu(), color=BLUE, lw=1, label="$v^T J v$")
            ax.plot(times.cpu(), cast(Tensor, trace).cpu(), color=ORANGE, label="trace")
            ax.set(title=name, xlabel="time")
        low, high = zip(*(ax.get_ylim() for ax in axes), strict=True)
        for ax in axes:
            ax.set_ylim(min(low), max(high))
            label_lines(ax)
    show(
        fig,
        "Two panels in the same scale. With one vector, the product follows a smooth "
        "curve beside the trace. With a new vector each time, it jumps up and down "
        "around the trace.",
    )

# %%
if __name__ == "__main__":
    seed()
    exact_flow = ffjord(2).to(device()).double()
    exact_flow.load_state_dict(flow.state_dict())
    f, x = exact_flow.bijection, discs.sample(50).double()
    assert isinstance(f, Continuous)
    f.train()
    rows, times_more = [], {}
    for tolerance in (1e-2, 1e-3, 1e-5):
        once = evaluations(f.change(x), x, tolerance)
        anew = evaluations(redrawn(f, x), x, tolerance)
        times_more[tolerance] = anew / once
        told = f"{anew}" if anew < 1000 else "stopped at 1,000"
        rows.append((f"{tolerance:g}", f"{once}", told))
    f.eval()
    table(("tolerance", "one v", "v redrawn"), rows)

# %% [markdown]
# An adaptive solver compares two guesses for each step. Where $v$ is redrawn, they do
# not agree, however short the step. With a loose tolerance nobody notices. With a tight
# one the solver comes to no end.
#
# ## What the noise costs
#
# With one $v$, the spread of $\log p$ at a point follows from the formulas above, for
# the matrix $\int J\,dt$. Compare it with what is observed over 50 vectors for each of
# 100 points.


# %%
@torch.no_grad()
def whole_jacobian(f: Continuous, x: Tensor) -> Tensor:
    """∫ J dt along the paths of x from t = 1 to 0, of shape (batch, D, D)."""

    def change(t: Tensor, state: Tensor) -> Tensor:
        dz, j = jacobian(partial(f.g, t), state[:, : f.g.dim])
        return torch.cat((dz, j.flatten(1)), 1)

    state = torch.cat((x, x.new_zeros(len(x), f.g.dim**2)), 1)
    end = f.solve(change, state, x.new_tensor((1.0, 0.0)))[-1]
    return end[:, f.g.dim :].unflatten(1, (f.g.dim, f.g.dim))


@torch.no_grad()
def estimates(flow: Flow, x: Tensor, draws: int) -> Tensor:
    """log p(x) with so many vectors for each row, of shape (draws, batch)."""
    found = flow.train().log_prob(x.repeat(draws, 1))
    flow.eval()
    return found.view(draws, -1)


# %%
if __name__ == "__main__":
    seed()
    x, rows, spread, errors = discs.sample(100), [], {}, {}
    f = flow.bijection
    assert isinstance(f, Continuous)
    formulas = variances(whole_jacobian(f, x))
    with torch.no_grad():
        exactly = flow.log_prob(x)
    for kind, formula in formulas.items():
        f.train_vectors = TRACES[kind]
        found = estimates(flow, x, 50)
        errors[kind] = found - exactly
        expected = formula.mean().sqrt().item()
        spread[kind] = found.var(0).mean().sqrt().item()
        rows.append((kind, f"{spread[kind]:.2f}", f"{expected:.2f}"))
        ratio = spread[kind] / expected
        check(f"{kind}: spread of log p / formula", ratio, above=0.8, below=1.2)
        error = errors[kind].std().item() / errors[kind].numel() ** 0.5
        off = abs(errors[kind].mean().item()) / error
        check(f"{kind}: mean of log p, in standard errors", off, below=4.5)
    f.train_vectors = TRACES["signs"]
    table(("noise", "spread of log p, nats", "by formula"), rows)

# %% [markdown]
# ## A narrow layer
#
# Let the network be $g \circ h$, with a layer $h$ of only $H < D$ units between. A
# trace does not change when two factors change places (eq. 9):
# $$\operatorname{Tr}(J_g J_h) = \operatorname{Tr}(J_h J_g)
# = \mathrm E\, v^\top J_h J_g\, v,\qquad v \in \mathbb R^H$$
# The second matrix is only $H \times H$: fewer numbers are noise.


# %%
def narrow(g: Map, h: Map, z: Tensor, v: Tensor) -> Mapped:
    """g(h(z)), and vᵀ J_h J_g v for v as wide as h(z), of shape (batch,) (eq. 9)."""
    hidden, times_h = products(h, z)
    dz, times_g = products(g, hidden)
    return dz, (times_g(times_h(v)) * v).sum(1)


# %%
if __name__ == "__main__":
    seed()
    g, h = torch.randn(500, 20, 3), torch.randn(500, 3, 20)
    wide, small = variances(g @ h), variances(h @ g)
    shrunk = {kind: (small[kind].mean() / wide[kind].mean()).item() for kind in wide}
    rows = [
        (kind, *(f"{each[kind].mean():.0f}" for each in (wide, small))) for kind in wide
    ]
    table(("noise", "variance, D = 20", "narrow, H = 3"), rows)

# %% [markdown]
# ## A solver that works more and more
#
# A new network stands still. As it learns, points have to turn and to part. The solver
# needs more evaluations for the same tolerance.

# %% The loss, and the evaluations of an adaptive solver, while training tags=["plot"]
if __name__ == "__main__":
    fig, axes = figure(columns=2, width=6.4, height=2.4)
    steps = [step for step, _ in history.validation]
    excess = [loss - discs.entropy for _, loss in history.validation]
    axes[0].plot(steps, excess, ".-", color=BLUE)
    axes[0].set(title="gap in nats", xlabel="step", ylim=(0, None))
    axes[1].plot(steps, counts, ".-", color=PURPLE)
    axes[1].set(title="evaluations", xlabel="step", ylim=(0, None))
    show(
        fig,
        "Two curves over the steps of training. The gap falls towards 0. The number of "
        "evaluations grows, and then stays.",
    )

# %% [markdown]
# ## In 64 dimensions
#
# Discs on a plane suit FFJORD. Now both learn scikit-learn's digits: 64 numbers, as
# logits, and normalised. FFJORD gets 150 batches of 128, the couplings 400, and more
# parameters. Activations are softplus, as the paper has for many numbers.

# %%
if __name__ == "__main__":
    seed()
    train, _, test = (part.images for part in digits())
    noisy, bits, rows = dequantise(test, 2), baselines(train, test), []
    free = ffjord(64, (128, 128), solve=FixedSteps(4), activation=softplus)
    models = {"FFJORD": (free, 150, 5e-3)}
    models["couplings"] = real_nvp_vector(64, 8, (64, 64)), 400, 2e-3
    for name, (model, steps, lr) in models.items():
        maps = Logit((64,)), BatchNorm((64,)), model.bijection
        q = Flow(model.base, Compose(*maps)).to(device())
        start = process_time()
        fit(
            q,
            lambda x, q=q: bits_per_dim(q.log_prob(x)),
            steps,
            lambda: dequantise(train[torch.randint(len(train), (128,))]),
            lr=lr,
            clip=5,
        )
        seconds = process_time() - start
        with torch.no_grad():
            bits[name] = bits_per_dim(q.eval().log_prob(noisy)).item()
        rows.append((name, f"{size(q):,}", f"{seconds:.0f}", f"{bits[name]:.2f}"))
    rows.append(("full Gaussian", "", "", f"{bits['full Gaussian']:.2f}"))
    table(("flow", "parameters", "seconds", "bits per dimension"), rows)
    lost = bits["FFJORD"] - bits["couplings"]
    check("digits: bits per dimension lost to couplings", lost, above=0.3)
    gained = bits["full Gaussian"] - bits["FFJORD"]
    check("digits: bits per dimension gained on a Gaussian", gained, above=0.05)

# %% [markdown]
# FFJORD learns, but couplings are far ahead, in less time. In the paper it is ahead of
# couplings on all five tables (Table 2), after a far longer training.

# %% [markdown]
# ## What the paper claims, and what holds
#
# The paper claims that a free network models separate pieces which couplings join, and
# does so with few parameters. It also reports that the number of evaluations grows.

# %%
if __name__ == "__main__":
    anew, grown = times_more[1e-5], counts[-1] / counts[0]
    claim(
        "Where v is redrawn, a solver is stopped after {} times as many evaluations",
        anew,
        above=5,
    )
    claim(
        "At the end of training, it evaluates {} times as often as after 25 steps",
        grown,
        above=1.3,
    )
    further = gaps["couplings"] / gaps["FFJORD"]
    claim("Couplings of as many parameters stay {} times as far", further, above=1.3)
    check("FFJORD: gap in nats", gaps["FFJORD"], below=0.2)
    check("six steps: mean log p, less that of 12", abs(cheated), below=0.05)
    wider = spread["normals"] / spread["signs"]
    check("spread of normals over that of signs", wider, above=1.1)
    for kind, part in shrunk.items():
        check(f"{kind}: variance of a narrow layer, over that of all", part, below=0.5)

# %%
if __name__ == "__main__":
    all_checks("ffjord")

# %% [markdown]
# Reported and obtained:
#
# | | The paper | Here | Why |
# | :-- | :-- | :-- | :-- |
# | Figure 2 | Glow joins pieces, FFJORD parts them | less joined | smaller flows |
# | evaluations on toys | 70 to 100 | see the curve | the same tolerance |
# | trace on toys | exact, in the authors' code | one product | to show its noise |
# | training | adaptive, 10,000 batches of 100 | six steps, 250 of 256 | a minute |
# | weight decay | keeps the equation easy | used, not measured | a short run |
# | five tables | ahead of couplings | behind, on digits | seconds of training |
# | start | PyTorch's | the last layer is 0 | starts as the identity |
#
# ## Three things to remember
#
# 1. One product with random signs gives a trace without bias, in any dimension. So any
#    smooth network is a flow.
# 2. Draw the signs once for a whole solution. Its noise is that of one matrix.
# 3. Train on the estimate, and test with the exact trace. As the flow learns, its
#    solver works more.
#
# ## Three to try
#
# Predict, then change the line and run.
#
# **1. The whole matrix.** Take $J$ for its symmetric part. Does a check notice?
#
# ```diff
# - s = (j + j.mT) / 2
# + s = j
# ```
#
# <details><summary>Answer</summary>
#
# Yes. The part that turns adds nothing to $v^\top J v$, but it would count. The formula
# then gives 26 for signs, where 1 is right.
#
# </details>
#
# **2. A solver that does not look.** Take eight fixed steps. Does it cost more to draw
# $v$ anew at each evaluation?
#
# ```diff
# - counted = Counted(Adaptive(tolerance))
# + counted = Counted(FixedSteps(8))
# ```
#
# <details><summary>Answer</summary>
#
# No. Both take 32 evaluations. Nobody compares two guesses, so nobody notices. The mean
# is right, too. But more steps no longer make the integral exact for a given $v$.
#
# </details>
#
# **3. A mean of densities.** Average $p$ over the vectors instead of $\log p$. Is the
# result right?
#
# ```diff
# - return found.view(draws, -1)
# + return found.view(draws, -1).exp().mean(0, keepdim=True).log()
# ```
#
# <details><summary>Answer</summary>
#
# No, it is too large, by about half of the variance. The estimate of $\log p$ has no
# bias. That of $p$ has.
#
# </details>
#
# ## What to read next
#
# - [Neural ODEs](neural_ode.ipynb) bring the trace, and gradients without a memory.
# - [The review](flows_review.ipynb) estimates a series of traces in the same way.
# - [RNODE](https://arxiv.org/abs/2002.02798) asks for straight paths, so that a solver
#   works less.
# - [Flow matching](flow_matching.ipynb) trains the velocity by regression:
#   no solver and no trace in training.

# %% tags=["plot", "thumbnail"]
if __name__ == "__main__":
    fig, ax = square()
    line = torch.linspace(-3, 3, 120, device=device())
    few = torch.linspace(-2.7, 2.7, 9, device=device())
    places = torch.cartesian_prod(few, few)
    with torch.no_grad():
        points = torch.cartesian_prod(line, line)
        heights = flow.log_prob(points).view(120, 120).T.cpu()
        velocity = f.g(few.new_tensor(0.7), places).cpu()
    ax.contourf(line.cpu(), line.cpu(), heights, (-3, 9), colors=(BLUE,), alpha=0.6)
    look = {"color": ORANGE, "scale": 30, "width": 0.012, "pivot": "mid"}
    ax.quiver(*places.cpu().T, *velocity.T, **look)
    thumbnail(fig, "Eight discs on a circle, under a grid of arrows.")
