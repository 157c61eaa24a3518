# %% [markdown]
# # Real NVP: couplings that scale, and flows of images
#
# [NICE](nice.ipynb) stretches all of space by the same factor. Data need more. In the
# figure, half of the noise has to become the small dot, and half the wide disc. So one
# half has to shrink, and the other has to grow.
#
# Dinh, Sohl-Dickstein and Bengio ([2016](https://arxiv.org/abs/1605.08803)) let each
# layer *scale* what it shifts, by a factor that depends on the place. They also build
# the layers for images: masks, convolutions, several scales, batch normalisation.
#
# The result: exact likelihoods of images, and samples in one pass. The limit of NICE is
# gone, as we measure.

# %%
"""Real NVP (Dinh, Sohl-Dickstein and Bengio, 2016, arXiv:1605.08803)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, softplus

from implementations.core.bijection import (
    Bijection,
    Compose,
    DataDependent,
    Mapped,
    Shape,
    Univariate,
    by_kind,
)
from implementations.core.claims import all_checks, check, claim, table
from implementations.core.couplings import Couplings
from implementations.core.diagrams import (
    arrow,
    box,
    cells,
    diagram,
    disc,
    halves,
    words,
)
from implementations.core.digits import baselines, bits_per_dim, dequantise, digits
from implementations.core.environment import device, seed
from implementations.core.fit import History, fit
from implementations.core.flow import Flow, StandardNormal
from implementations.core.nets import mlp, size
from implementations.core.normalise import averaged, moments, normalised
from implementations.core.plots import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    densities,
    figure,
    grid_lines,
    images,
    label_lines,
    levels,
    show,
    square,
    thumbnail,
    undone,
    warps,
)
from implementations.core.toy import kl_to, two_scales
from implementations.nice import (
    Coupling,
    Scaling,
    Shift,
    floor,
    jacobians,
    learn,
    nice,
)

# %% The noise, and the data that it has to become tags=["plot"]
if __name__ == "__main__":
    fig, axes = figure(columns=2, width=4.8, box=(-3.5, 5.5, -3.5, 3.5))
    panels = {"noise": torch.randn(2000, 2), "data": two_scales().sample(2000)}
    for ax, (title, points) in zip(axes, panels.items(), strict=True):
        left = points[:, 0] < (0 if title == "noise" else -1.2)
        for part, colour in ((points[left], BLUE), (points[~left], ORANGE)):
            ax.plot(*part.T, ".", color=colour, markersize=2)
        ax.set(xlim=(-3.5, 5.5), ylim=(-3.5, 3.5), title=title, aspect="equal")
        ax.axis("off")
    show(
        fig,
        "Two clouds of points in the same axes. The noise is one round cloud, blue on "
        "the left and orange on the right. In the data, the blue half is a tiny dot, "
        "and the orange half is a wide disc beside it.",
    )

# %% [markdown]
# ## The idea in one picture

# %% An affine coupling, and how it is undone tags=["plot"]
if __name__ == "__main__":
    fig, axes = diagram(columns=2, height=2.3)
    for ax, backwards in zip(axes, (False, True), strict=True):
        names = [("$x_1$", "$x_2$"), ("$z_1$", "$z_2$")]
        first, last = reversed(names) if backwards else names
        start = halves(ax, (0.35, 0.95), first, apart=1.2)
        end = halves(ax, (3.05, 0.95), last, apart=1.2)
        network = box(ax, (1.4, 0.97), "network $m$", GREY, (1.0, 0.36))
        signs, outputs = ("$-$", "$÷$"), ("$t$", "$e^s$")
        if not backwards:
            signs, outputs = ("$×$", "$+$"), ("$e^s$", "$t$")
        one, two = (
            disc(ax, (x, 0.35), sign, ORANGE)
            for x, sign in zip((1.35, 2.2), signs, strict=True)
        )
        arrow(ax, start[0], end[0], "copy", BLUE)
        arrow(ax, (1.4, 1.55), network, colour=BLUE)
        arrow(ax, network, one, outputs[0], beside=(-0.17, 0))
        arrow(ax, network, two, outputs[1], beside=(0.2, 0.05))
        arrow(ax, start[1], one, colour=ORANGE)
        arrow(ax, one, two, colour=ORANGE)
        arrow(ax, two, end[1], colour=ORANGE)
        words(ax, (1.7, 2.1), "undone: noise to data" if backwards else "data to noise")
    show(
        fig,
        "Two diagrams. From data to noise, the first half is copied. A network of it "
        "gives s and t. The second half is multiplied by the exponential of s, then t "
        "is added. From noise to data, the same network gives the same s and t. First "
        "t is subtracted, then the result is divided.",
    )

# %% [markdown]
# As in NICE, a layer copies the first half. A network looks at it, and now gives two
# numbers for each number of the second half: a scale $e^s$ and a shift $t$. To undo the
# layer, ask the same network about the same copy. Then subtract, and divide.
#
# ## Symbols and direction
#
# | Symbol | In code | Meaning |
# | :-- | :-- | :-- |
# | $s$, $t$ | `s`, `t` | logarithm of a scale, and a shift |
# | $m$ | `m` | the network that gives $s$ and $t$ |
# | $b$ | `mask` | 1 where a number is kept, 0 where it is moved |
# | $z_i$, $h_i$ | `done`, `h` | what is noise after scale $i$, and what goes on |
#
# `forward` goes from data $x$ to noise $z$, here and in the paper. (The paper calls the
# output of a single layer $y$.) `inverse` goes from noise to data: it makes samples.
#
# ## The affine coupling
#
# A coupling layer moves each number of $x_2$ by an increasing map $g$. NICE took
# $g(x) = x + t$. Real NVP takes $g(x) = e^s x + t$, whose slope is $e^s$ (eq. 4 to 6):
# $$z_2 = e^{s(x_1)} \odot x_2 + t(x_1)$$
# $$\log|\det J| = \sum_j s_j(x_1)$$
# The sum depends on $x_1$. So the volume changes by another factor at each place.
#
# A large $s$ would overflow. So the paper bounds it (§4.1): $s = a \tanh(\hat s)$.
# Here $\hat s$ is an output of the network, and $a$ is one number that is learned.


# %%
class Affine(Univariate):
    """z = exp(s) x + t, s = a tanh(ŝ), steered by (ŝ, t) (eq. 4, 5; §4.1).

    a is one number, learned, for all coordinates; it starts at 1, so that networks
    may start at 0.
    """

    n_params = 2
    apart = True

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor, params: Tensor) -> Mapped:
        s, t = self._s_t(params)
        return x * s.exp() + t, s

    def inverse(self, z: Tensor, params: Tensor) -> Mapped:
        s, t = self._s_t(params)
        minus_s = -s
        return (z - t) * minus_s.exp(), minus_s

    def _s_t(self, params: Tensor) -> tuple[Tensor, Tensor]:
        s, t = by_kind(params)
        return self.a * s.tanh(), t


# %% [markdown]
# `Coupling`, the layer of NICE, takes any such map. So a Real NVP for vectors is a few
# lines. (`Couplings` is `Compose` for such layers. It keeps the two halves apart, which
# is faster and changes no number.)


# %%
def real_nvp_vector(
    dim: int, layers: int = 8, hidden: Sequence[int] = (128, 128), context: int = 0
) -> Flow:
    """Build a stack of affine couplings for vectors of width `dim`.

    The paper has none for vectors; the sizes are ours. `context` is the width of what
    the density is conditioned on.
    """
    m = partial(mlp, hidden=hidden)
    swaps = [k % 2 == 1 for k in range(layers)]
    f = Couplings(*(Coupling(dim, Affine(), m, swap, context) for swap in swaps))
    return Flow(StandardNormal((dim,)), f)


# %% [markdown]
# The check: take one layer with random weights. Its output must come back to its input.
# Its $\log|\det J|$ must be that of automatic differentiation, and it must differ from
# place to place. (`check` stops the notebook when a number is not inside its bound.)

# %%
if __name__ == "__main__":
    seed()
    layer, x = Coupling(4, Affine(), mlp), torch.randn(100, 4)
    for weights in layer.m.parameters():
        nn.init.normal_(weights, std=0.3)
    with torch.no_grad():
        z, log_det = layer(x)
        error = (layer.inverse(z)[0] - x).abs().max().item()
    exact = torch.linalg.slogdet(jacobians(layer, x)).logabsdet
    wrong = (log_det - exact).abs().max().item()
    print(f"log |det J|: off by {wrong:.1g}; standard deviation {log_det.std():.2f}")
    check("a coupling: error of the round trip", error, below=1e-4)
    check("a coupling: log |det J| against autograd", wrong, below=1e-4)
    check("a coupling: how log |det J| varies", log_det.std().item(), above=0.05)

# %% [markdown]
# ## Past the limit of constant volume
#
# [NICE's page](nice.ipynb#the-best-that-constant-volume-allows) proves a limit. No map
# of constant volume comes closer to the *two scales* of the first figure than 0.65
# nats. We train both models in the same way. NICE gets a few more parameters than
# Real NVP.

# %%
if __name__ == "__main__":
    seed()
    target = two_scales().to(device())
    affine = learn(real_nvp_vector(2, 8, (64, 64)), target, 1500)
    additive = learn(nice(2, 8, (66, 66), StandardNormal), target, 1500)
    gap, gap_additive = kl_to(target, affine), kl_to(target, additive)
    least = floor(target)
    above = gap_additive - least
    table(
        ("two scales", "parameters", "gap in nats"),
        [
            ("any constant volume, at least", "", f"{least:.2f}"),
            ("NICE", f"{size(additive):,}", f"{gap_additive:.2f}"),
            ("**Real NVP**", f"{size(affine):,}", f"{gap:.2f}"),
        ],
    )
    check("parameters of NICE, over ours", size(additive) / size(affine), above=1)
    check("two scales: NICE, above its limit", above, above=0, below=0.1)

# %% Two scales, as NICE and as Real NVP learn them tags=["plot"]
if __name__ == "__main__":
    fig, axes = figure(columns=4, height=2.0)
    view = (-3.0, 5.0, -3.5, 3.5)
    models = {"two scales": target, "NICE": additive, "Real NVP": affine}
    quarter = {
        f"{name}, $p^{{1/4}}$": lambda x, of=model: of.log_prob(x) / 4
        for name, model in models.items()
    }
    densities(axes, quarter, view)
    bins = torch.linspace(-8, 1.5, 60).tolist()
    for (name, model), colour, place in zip(
        models.items(),
        (BLUE, ORANGE, GREEN),
        ((-8, 5400), (-8, 3900), (-8, 4650)),
        strict=True,
    ):
        with torch.no_grad():
            own = model.log_prob(model.sample(50_000)).cpu().numpy()
        axes[3].hist(own, bins, histtype="step", color=colour)
        axes[3].annotate(name, place, color=colour)
    axes[3].set(title="log-density at samples", yticks=[])
    show(
        fig,
        "Three heat maps in the same colours, and three histograms. The two scales are "
        "a small dense dot beside a wide faint disc. NICE joins them by a thread, Real "
        "NVP all but separates them. Log-densities at samples have two peaks for the "
        "truth and for Real NVP, one for NICE.",
    )

# %% [markdown]
# Follow a square grid of noise on its way to the data, in the same axes. NICE would
# leave all cells the same area. Here the cells on the left shrink into the dot.

# %% From noise to data tags=["plot"]
if __name__ == "__main__":
    lines = grid_lines((-1.8, 1.8, -1.8, 1.8), 13)
    (f,) = (m for m in affine.modules() if isinstance(m, Compose))
    named = {6: "two layers undone", 3: "five undone", 0: "all undone: data"}
    fig, axes = figure(columns=4, height=2.0)
    warps(axes, undone(f.layers, lines, named))
    show(
        fig,
        "A square grid in four stages, from noise to data. The layers pull its left "
        "part together into a small dot and spread the right part.",
    )

# %% [markdown]
# ## Masks for images
#
# Which half of an image is kept? A mask $b$ says it, with a 1 for each number that is
# kept (eq. 9):
# $$z = b \odot x + (1 - b) \odot g(x;\, m(b \odot x))$$
# The network sees $b \odot x$, which still is an image. So it can be convolutional.
# There are two kinds of masks (§3.4). A *checkerboard* keeps every second pixel. Each
# moved pixel sees its neighbours. A *channel mask* keeps the first half of all
# channels.


# %%
class MaskedCoupling(Bijection):
    """z = b ⊙ x + (1 - b) ⊙ g(x; m(b ⊙ x)) (eq. 9).

    `mask` is b, of the event's shape (channels, height, width) and dtype bool.
    `network` is m; it returns `univariate.n_params` images for the one it gets, one
    after another along the channels.
    """

    mask: Tensor

    def __init__(
        self, mask: Tensor, univariate: Univariate, network: nn.Module
    ) -> None:
        super().__init__(tuple(mask.shape))
        # A copy: layers may be built from one mask, and views cannot be averaged.
        own = mask.clone(memory_format=torch.contiguous_format)
        self.register_buffer("mask", own)
        self.univariate = univariate
        self.m = network

    def forward(self, x: Tensor, context: Tensor | None = None) -> Mapped:
        return self._masked(x, *self.univariate(x, self._params(x)))

    def inverse(self, z: Tensor, context: Tensor | None = None) -> Mapped:
        return self._masked(z, *self.univariate.inverse(z, self._params(z)))

    def _params(self, x: Tensor) -> Tensor:
        seen = torch.where(self.mask, x, 0)
        return self.m(seen).unflatten(1, (self.univariate.n_params, -1)).movedim(1, -1)

    def _masked(self, x: Tensor, moved: Tensor, log_slope: Tensor) -> Mapped:
        log_det = torch.where(self.mask, 0, log_slope).flatten(1).sum(1)
        return torch.where(self.mask, x, moved), log_det


def checkerboard(shape: Shape) -> Tensor:
    """b = 1 where the sum of the spatial coordinates is odd (§3.4)."""
    _, height, width = shape
    rows, columns = torch.arange(height)[:, None], torch.arange(width)
    return ((rows + columns) % 2 == 1).expand(shape)


def first_channels(shape: Shape) -> Tensor:
    """b = 1 for the first half of the channels (§3.4)."""
    channels = torch.arange(shape[0])[:, None, None]
    return (channels < shape[0] // 2).expand(shape)


# %% [markdown]
# A grey image has one channel. *Squeezing* makes four (§3.6): each block of 2×2 pixels
# becomes one pixel with four channels. No number changes, so $\log|\det J| = 0$. Ours
# goes through the block row by row. The first two channels are then the upper pixels of
# each block: a choice that neither checkerboard makes.

# %% Kept in blue, moved in orange: a checkerboard, and a channel mask tags=["plot"]
if __name__ == "__main__":
    fig, axes = diagram(columns=3, width=2.0, height=1.8)
    board = (~checkerboard((1, 4, 4))[0]).int().tolist()
    block = [[2 * (i % 2) + j % 2 for j in range(4)] for i in range(4)]
    numbers = [[str(k + 1) for k in row] for row in block]
    cells(axes[0], (0.4, 0.15), board)
    cells(axes[1], (0.4, 0.15), block, texts=numbers)
    words(axes[0], (1.0, 1.6), "checkerboard")
    words(axes[1], (1.0, 1.6), "place in its block")
    words(axes[2], (1.0, 1.6), "channels 1 to 4")
    for k, corner in enumerate(((0.3, 0.82), (1.1, 0.82), (0.3, 0.1), (1.1, 0.1))):
        mark = [[str(k + 1)] * 2] * 2
        cells(axes[2], corner, [[k // 2] * 2] * 2, texts=mark)
    show(
        fig,
        "Three diagrams. A checkerboard of kept and moved pixels. The same 4×4 image, "
        "whose pixels are numbered by their place in a block of 2×2, from 1 to 4. Four "
        "channels of 2×2 pixels, the first two kept, the others moved.",
    )


# %%
class Squeeze(Bijection):
    """c × h × w → 4c × h/2 × w/2: blocks of 2×2 pixels become channels (§3.6).

    Raises:
        ValueError: when height or width are odd.
    """

    def __init__(self, shape: Shape) -> None:
        c, h, w = shape
        if h % 2 or w % 2:
            raise ValueError(
                f"Squeeze: expected an even height and width, got {h}, {w}"
            )
        super().__init__(shape, (4 * c, h // 2, w // 2))

    def forward(self, x: Tensor, context: Tensor | None = None) -> Mapped:
        blocks = x.unflatten(3, (-1, 2)).unflatten(2, (-1, 2))
        z = blocks.permute(0, 3, 5, 1, 2, 4).flatten(1, 3)
        return z, x.new_zeros(x.shape[0])

    def inverse(self, z: Tensor, context: Tensor | None = None) -> Mapped:
        blocks = z.unflatten(1, (2, 2, self.x_shape[0])).permute(0, 3, 4, 1, 5, 2)
        return blocks.flatten(4, 5).flatten(2, 3), z.new_zeros(z.shape[0])


# %% [markdown]
# ## Many scales
#
# After a few layers, half of the channels are declared to be noise, and only the others
# go on (eq. 13 to 16). With $h_0 = x$ and $L$ scales:
# $$(z_{i+1}, h_{i+1}) = f_{i+1}(h_i)$$
# $$z_L = f_L(h_{L-1}),\qquad z = (z_1, \dots, z_L)$$
# Deep layers then have less to do. And each scale has its own noise: $z_1$ for details,
# $z_L$ for what one sees from afar.

# %% Two scales of 8×8 pixels tags=["plot"]
if __name__ == "__main__":
    fig, axes = diagram(width=4.8, height=1.75)
    ax = axes[0]
    fine = box(ax, (0.62, 1.2), "3 couplings\n1×8×8", BLUE, (1.1, 0.6))
    coarse = box(ax, (2.2, 1.2), "3 couplings\n4×4×4", BLUE, (1.1, 0.6))
    deep = box(ax, (3.75, 1.2), "4 couplings\n2×4×4", BLUE, (1.1, 0.6))
    z1 = box(ax, (2.2, 0.25), "$z_1$: 32", ORANGE, (0.9, 0.36))
    z2 = box(ax, (3.75, 0.25), "$z_2$: 32", ORANGE, (0.9, 0.36))
    arrow(ax, fine, coarse, "squeeze", beside=(0, 0.45))
    arrow(ax, coarse, deep, "$h_1$", beside=(0, 0.15))
    arrow(ax, coarse, z1, "half", ORANGE, beside=(0.28, 0.02))
    arrow(ax, deep, z2, colour=ORANGE)
    show(
        fig,
        "Three boxes in a row. Three couplings of 1×8×8 numbers, then squeezing, then "
        "three couplings of 4×4×4. Half of their output is noise, 32 numbers. The "
        "other half goes on to four couplings of 2×4×4, whose output is noise as well.",
    )


# %%
class FactorOut(Bijection):
    """x = (z₁, h) → z = (z₁, f(h)): half of the channels are done (eq. 14).

    z is a vector, whatever shape the noise of `rest`, which is f, has.
    """

    def __init__(self, shape: Shape, rest: Bijection) -> None:
        super().__init__(shape, (math.prod(shape),), context=rest.context)
        self.rest = rest

    def forward(self, x: Tensor, context: Tensor | None = None) -> Mapped:
        done, h = x.chunk(2, 1)
        z, log_det = self.rest(h, context)
        return torch.cat((done.flatten(1), z.flatten(1)), 1), log_det

    def inverse(self, z: Tensor, context: Tensor | None = None) -> Mapped:
        done, z = z.chunk(2, 1)
        h, log_det = self.rest.inverse(z.unflatten(1, self.rest.z_shape), context)
        return torch.cat((done.unflatten(1, self.rest.x_shape), h), 1), log_det

    def initialise(self, x: Tensor, context: Tensor | None = None) -> None:
        self.rest.initialise(x.chunk(2, 1)[1], context)


# %% [markdown]
# ## Batch normalisation
#
# Deep stacks train badly when numbers grow or shrink from layer to layer. So each
# coupling is followed by a layer that normalises every channel (§3.7). It subtracts a
# mean $\mu$ and divides by a standard deviation:
# $$z = \frac{x - \mu}{\sqrt{\sigma^2 + \epsilon}}$$
# $$\log|\det J| = -\tfrac12 \sum_i \log(\sigma_i^2 + \epsilon)$$
# Which $\mu$? A running average (appendix E). In training, the mean $\hat\mu$ of each
# batch first enters it: $\mu \leftarrow \rho\mu + (1 - \rho)\hat\mu$. The variance does
# the same. Then the new averages are used. Written out for vectors:


# %%
def batch_norm(
    x: Tensor, mean: Tensor, var: Tensor, rho: float = 0.9, eps: float = 1e-4
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """z, log|det J| and the new averages, in training; x of shape (batch, D)."""
    mean = rho * mean + (1 - rho) * x.mean(0)
    var = rho * var + (1 - rho) * x.var(0, correction=0)
    z = (x - mean) / (var + eps).sqrt()
    log_det = -0.5 * (var + eps).log().sum()
    return z, log_det, mean, var


# %% [markdown]
# `BatchNorm` does the same for any shape. After training, the averages stay as they
# are. Only then is the map the same for every $x$, so only then is there a density, and
# an inverse. (`averaged` and `normalised`, in `core/normalise.py`, compute the formulas
# in fewer passes over $x$.)


# %%
class BatchNorm(DataDependent):
    """z = (x - μ) / √(σ² + ε), for each channel or component (eq. 17, 18).

    μ and σ² are running averages, which in training mode `forward` updates before it
    uses them. The log-determinant takes them as given. A first batch sets them, by
    `initialise` or in training.

    Raises:
        ValueError: in training and from `initialise`, when a channel has one value.
    """

    steady = False
    mean: Tensor
    var: Tensor

    def __init__(self, shape: Shape, rho: float = 0.9, eps: float = 1e-4) -> None:
        super().__init__(shape)
        self.rho, self.eps = rho, eps
        each = (shape[0], *(1 for _ in shape[1:]))
        self.register_buffer("mean", torch.zeros(each))
        self.register_buffer("var", torch.ones(each))

    def forward(self, x: Tensor, context: Tensor | None = None) -> Mapped:
        if self.training:
            self._check(x)
            z, log_det = averaged(x, self.mean, self.var, self.rho, self.eps)
            self.initialised.fill_(True)
        else:
            z, log_det = normalised(x, self.mean, self.var, self.eps)
        return z, log_det.expand(x.shape[0])

    def inverse(self, z: Tensor, context: Tensor | None = None) -> Mapped:
        scale = (self.var + self.eps).sqrt()
        log_det = scale.log().expand(z.shape[1:]).sum()
        return torch.addcmul(self.mean, z, scale), log_det.expand(z.shape[0])

    def set_from(self, x: Tensor, context: Tensor | None) -> None:
        self._check(x)
        mean, var = moments(x)
        self.mean.copy_(mean)
        self.var.copy_(var)

    def _check(self, x: Tensor) -> None:
        # The variance of one value is 0, and the density would have no bound.
        if len(x) * math.prod(x.shape[2:]) < 2:
            raise ValueError(
                f"BatchNorm: expected more than 1 event in training, got {len(x)}"
            )


# %% [markdown]
# Three batches go through both. The outputs must be equal, and so must the gradients,
# which reach the batch through $\hat\mu$ and $\hat\sigma^2$.

# %%
if __name__ == "__main__":
    layer, worst = BatchNorm((3,)).double(), 0.0
    mean, var = torch.zeros(3).double(), torch.ones(3).double()
    for _ in range(3):
        x = (2 * torch.randn(50, 3).double() + 1).requires_grad_()
        z, log_det, mean, var = batch_norm(x, mean.detach(), var.detach())
        both = layer(x), (z, log_det.expand(50))
        losses = [z.pow(3).sum() - log_det.sum() for z, log_det in both]
        slopes = [torch.autograd.grad(loss, x)[0] for loss in losses]
        for ours, formula in (*zip(*both, strict=True), slopes):
            worst = max(worst, (ours - formula).abs().max().item())
    print(f"layer and formula differ by {worst:.1g}")
    check("BatchNorm against its formula: difference", worst, below=1e-9)

# %% [markdown]
# ## The networks
#
# $s$ and $t$ come from a residual network (§4.1). It normalises inside, too. Each
# weight is $w = g\,v / \lVert v \rVert$. Its length $g$ and its direction $v$ are
# learned apart. The last $g$ starts at 0, so $s$ and $t$ start at 0.


# %%
class Convolution(nn.Module):
    """A convolution that keeps height and width, w = g v / ‖v‖ (§4.1).

    Its class is its own, since models with torch's `weight_norm` cannot be pickled.
    """

    def __init__(self, n_in: int, n_out: int, size: int) -> None:
        super().__init__()
        v, self.bias = nn.Conv2d(n_in, n_out, size).parameters()
        norm = torch.linalg.vector_norm(v.detach(), dim=(1, 2, 3), keepdim=True)
        self.g, self.v = nn.Parameter(norm), v

    def forward(self, x: Tensor) -> Tensor:
        w = torch._weight_norm(self.v, self.g)  # pyright: ignore
        return conv2d(x, w, self.bias, padding="same")


class ResidualBlock(nn.Module):
    """h + m(h), with m two convolutions, each after normalising and a ReLU."""

    def __init__(self, maps: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for _ in range(2):
            layers += [nn.BatchNorm2d(maps), nn.ReLU(), Convolution(maps, maps, 3)]
        self.m = nn.Sequential(*layers)

    def forward(self, h: Tensor) -> Tensor:
        return h + self.m(h)


def resnet(n_in: int, n_out: int, maps: int, blocks: int) -> nn.Sequential:
    """Build a residual network of images, whose output is 0 until it is trained."""
    last = Convolution(maps, n_out, 1)
    for parameter in (last.g, last.bias):
        nn.init.zeros_(parameter)
    stem = (Convolution(n_in, maps, 3), *(ResidualBlock(maps) for _ in range(blocks)))
    return nn.Sequential(*stem, nn.BatchNorm2d(maps), nn.ReLU(), last)


# %% [markdown]
# ## The model
#
# One scale is three couplings with checkerboards, a squeeze, and three couplings with
# channel masks. The mask and its opposite take turns. Then half of the channels leave.
# The rest is a smaller image, and the same begins anew, with networks twice as wide. At
# 4×4 pixels, four last couplings with checkerboards end it (§3.6).


# %%
def couplings(
    mask: Tensor, n: int, maps: int, blocks: int, univariate: type[Univariate]
) -> Iterator[Bijection]:
    """Yield n couplings and their normalisation; mask and opposite take turns."""
    channels = mask.shape[0]
    for k in range(n):
        m = resnet(channels, univariate.n_params * channels, maps, blocks)
        yield MaskedCoupling(mask if k % 2 == 0 else ~mask, univariate(), m)
        yield BatchNorm(tuple(mask.shape))


def scales(
    shape: Shape, maps: int, blocks: int, univariate: type[Univariate]
) -> Bijection:
    """Return f₁ and all that follow it (eq. 13 to 16)."""
    if min(shape[1:]) <= 4:
        return Compose(*couplings(checkerboard(shape), 4, maps, blocks, univariate))
    fine = couplings(checkerboard(shape), 3, maps, blocks, univariate)
    squeeze = Squeeze(shape)
    c, h, w = squeeze.z_shape
    mask = first_channels(squeeze.z_shape)
    coarse = couplings(mask, 3, 2 * maps, blocks, univariate)
    rest = scales((c // 2, h, w), 2 * maps, blocks, univariate)
    return Compose(*fine, squeeze, *coarse, FactorOut(squeeze.z_shape, rest))


def real_nvp(
    shape: Shape,
    maps: int = 32,
    blocks: int = 4,
    univariate: type[Univariate] = Affine,
) -> Flow:
    """Build Real NVP for images (channels, height, width), as the paper's for 32×32.

    Height and width are 4, or twice as much so often; `maps` is the width of the first
    networks, `blocks` their depth; `univariate` is what each coupling applies.
    """
    f = scales(shape, maps, blocks, univariate)
    return Flow(StandardNormal(f.z_shape), f)


# %% [markdown]
# Check the whole model, with random weights. Its $\log|\det J|$ must be that of the
# matrix of 64×64 derivatives. And no number of the noise may depend on one pixel only,
# which would mean that no coupling ever moved it.

# %%
if __name__ == "__main__":
    seed()
    small = real_nvp((1, 8, 8), maps=4, blocks=1)
    small.initialise(2 * torch.randn(100, 1, 8, 8) + 1)
    for weights in small.parameters():
        nn.init.normal_(weights, std=0.3)
    f, x = small.double().eval().bijection, torch.randn(20, 1, 8, 8).double()
    with torch.no_grad():
        z, log_det = f(x)
        error = (f.inverse(z)[0] - x).abs().max().item()
    matrix = jacobians(f, x).flatten(2)
    wrong = (log_det - torch.linalg.slogdet(matrix).logabsdet).abs().max().item()
    narrow = ((matrix != 0).any(0).sum(1) == 1).sum().item()
    print(f"round trip: off by {error:.1g}; log |det J|: off by {wrong:.1g}")
    check("the model: error of the round trip", error, below=1e-9)
    check("the model: log |det J| against autograd", wrong, below=1e-9)
    check("the model: noise that depends on one pixel", narrow, below=1)

# %% [markdown]
# One more check, of a common mistake. The density of an image must not depend on the
# other images of its batch. In evaluation mode it does not.

# %%
if __name__ == "__main__":
    model = small.eval()
    with torch.no_grad():
        alone, among = model.log_prob(x[:1])[0], model.log_prob(x)[0]
    differ = (alone - among).abs().item()
    print(f"log-density, alone and in a batch: {differ:.1g} nats apart")
    check("the model: log-density alone and in a batch, apart", differ, below=1e-9)

# %% [markdown]
# ## From pixels to the real line
#
# Pixels end at 0 and at 1, and many sit right there. Noise has no ends. So the model
# sees pixels through a logit (§4.1), whose slope is part of the likelihood:
# $$z = \operatorname{logit}(\alpha + (1 - 2\alpha)\,x),\qquad \alpha = 0.05$$
# The paper prints $1 - \alpha$. This is what the authors' code does, and the third
# exercise asks why.


# %%
class Logit(Bijection):
    """z = logit(α + (1 - 2α) x), for x from 0 to 1 (§4.1); elsewhere z may be NaN."""

    def __init__(self, shape: Shape, alpha: float = 0.05) -> None:
        super().__init__(shape)
        self.alpha = alpha

    def forward(self, x: Tensor, context: Tensor | None = None) -> Mapped:
        z = torch.logit(self.alpha + (1 - 2 * self.alpha) * x)
        return z, self._log_det(z)

    def inverse(self, z: Tensor, context: Tensor | None = None) -> Mapped:
        x = (z.sigmoid() - self.alpha) / (1 - 2 * self.alpha)
        return x, -self._log_det(z)

    def _log_det(self, z: Tensor) -> Tensor:
        log_slope = softplus(z) + softplus(-z) + math.log(1 - 2 * self.alpha)
        return log_slope.flatten(1).sum(1)


# %%
if __name__ == "__main__":
    pixel, grid = Flow(StandardNormal((1,)), Logit((1,))), torch.linspace(0, 1, 2001)
    with torch.no_grad():
        total = torch.trapezoid(pixel.log_prob(grid[:, None]).exp(), grid).item()
    print(f"probability of all pixels from 0 to 1: {total:.4f}")
    check("logit: probability from 0 to 1", total, above=0.996, below=0.998)

# %% [markdown]
# The missing 0.3 % is the noise beyond $\pm 2.94$, which is no pixel.
#
# ## Digits
#
# The data are scikit-learn's digits, 8×8 pixels of 17 levels, with noise added as in
# [NICE](nice.ipynb#digits). Five models see their logits:
#
# - NICE, with a few more parameters than the next one;
# - Real NVP for vectors, with four couplings;
# - the model for images, but with dense networks in its couplings;
# - the model for images with convolutions, but couplings that only shift;
# - the model for images in full.
#
# The last three share masks, scales, normalisation between layers, and training. The
# first of them replaces the networks alone, and has as many parameters:


# %%
def with_dense_networks(flow: Flow, hidden: Sequence[int]) -> Flow:
    """Replace the convolutions of `real_nvp` by dense networks of the whole image."""
    for layer in flow.modules():
        if isinstance(layer, MaskedCoupling):
            c, h, w = layer.x_shape
            n, n_params = c * h * w, layer.univariate.n_params
            dense = mlp(n, n_params * n, hidden)
            apart = nn.Unflatten(1, (n_params * c, h, w))
            layer.m = nn.Sequential(nn.Flatten(), dense, apart)
    return flow


def learn_digits(
    flow: Flow, steps: int, lr: float, n: int, fast: Sequence[nn.Parameter] = ()
) -> History:
    """Fit batches of n digits; parameters in `fast` learn ten times as fast."""
    train, validation, _ = (part.images for part in digits())
    shape = flow.bijection.x_shape
    noisy = dequantise(validation, 4).reshape(-1, *shape)
    slow = [p for p in flow.parameters() if all(p is not q for q in fast)]
    return fit(
        flow,
        lambda x: bits_per_dim(flow.log_prob(x)),
        steps,
        lambda: dequantise(train[torch.randint(len(train), (n,))]).reshape(-1, *shape),
        lr=lr,
        params=[{"params": slow}, {"params": list(fast), "lr": 10 * lr}],
        clip=100,
        validate=lambda: bits_per_dim(flow.log_prob(noisy)),
    )


def of_pixels(flow: Flow) -> Flow:
    """Return the flow as one of pixels, which it sees through their logits."""
    logit = Logit(flow.bijection.x_shape)
    return Flow(flow.base, Compose(logit, flow.bijection)).to(device())


# %%
if __name__ == "__main__":
    seed()
    train, _, test = (part.images for part in digits())
    others, noisy = baselines(train, test), dequantise(test, 20)
    additive = nice(64, 4, (143, 143))
    stretch = [m.s for m in additive.modules() if isinstance(m, Scaling)]
    of_images = partial(real_nvp, (1, 8, 8), maps=16, blocks=1)
    flows = {
        "NICE": of_pixels(additive),
        "Real NVP, vectors": of_pixels(real_nvp_vector(64, 4)),
        "images, dense": of_pixels(with_dense_networks(of_images(), (68, 68))),
        "images, shifts only": of_pixels(of_images(univariate=Shift)),
        "Real NVP, images": of_pixels(of_images()),
    }
    histories: dict[str, History] = {}
    bits: dict[str, float] = {}
    for name, flow in flows.items():
        if "images" in name:
            histories[name] = learn_digits(flow, 400, 2e-3, 64)
        else:
            fast = stretch if name == "NICE" else ()
            histories[name] = learn_digits(flow, 1200, 1e-3, 128, fast)
        with torch.no_grad():
            x = noisy.reshape(-1, *flow.bijection.x_shape)
            bits[name] = bits_per_dim(flow.log_prob(x)).item()
    rows = [(name, "", f"{value:.2f}") for name, value in others.items()]
    rows += [(name, f"{size(flows[name]):,}", f"{bits[name]:.2f}") for name in flows]
    table(("model", "parameters", "bits per dimension, test"), rows)
    gain = {name: value - bits["Real NVP, images"] for name, value in bits.items()}
    for_vectors = bits["NICE"] - bits["Real NVP, vectors"]
    check("vectors: bits gained on NICE", for_vectors, above=0.06)
    check("images: bits gained on vectors", gain["Real NVP, vectors"], above=0.12)
    share = gain["images, dense"] / gain["Real NVP, vectors"]
    check("images: share of this gain by convolutional networks", share, above=0.6)
    frequencies = others["frequencies per pixel"] - bits["Real NVP, images"]
    check("images: bits gained on frequencies", frequencies, above=0.32)

# %% [markdown]
# Scaling helps vectors, and images even more. There the networks differ in their last
# layer only.
#
# Convolutional residual networks help, too: at the same size they beat dense ones. They
# bring most of what the model for images gains on vectors. The small rest is the work
# of masks, scales, normalisation, six more couplings and more parameters together. (We
# did not take the networks apart. Their residual blocks and their inner normalisation
# may have a share in what we credit to convolutions.)
#
# Of logits, even NICE does better than the frequencies. Of raw pixels it does not.

# %% Loss on validation digits, for vectors and for images tags=["plot"]
if __name__ == "__main__":
    fig, axes = figure(columns=2, width=7.4)
    for name, history in histories.items():
        ax = axes["images" in name]
        ax.plot(*zip(*history.validation, strict=True), label=name)
    for ax in axes:
        ax.set(xlabel="step", title="bits per dimension, validation", ylim=(2, 3))
        levels(ax, {"frequencies": others["frequencies per pixel"]})
        label_lines(ax)
    show(
        fig,
        "Bits per dimension on the validation set. Left, Real NVP for vectors ends "
        "about a tenth below NICE. Right, the full model for images ends below its "
        "copies that only shift or that have dense networks.",
    )

# %% Digits of the test set, and samples of three models tags=["plot"]
if __name__ == "__main__":
    flow = flows["Real NVP, images"]
    drawn = {
        "test set": test[:12] / 17,
        "images": flow.sample(12),
        "vectors": flows["Real NVP, vectors"].sample(12),
        "NICE": flows["NICE"].sample(12),
    }
    fig, axes = figure(height=1.7)
    images(axes[0], {name: x.reshape(12, 8, 8) for name, x in drawn.items()})
    show(
        fig,
        "Twelve digits of the test set above samples of three models. Those of the "
        "model for images have clean backgrounds and most strokes of digits. Those for "
        "vectors and of NICE are noisier.",
    )

# %% [markdown]
# ## Between examples
#
# Two images have noise $z^{(1)}$ and $z^{(2)}$. What lies between them? The paper goes
# along an arc, from one to the other (eq. 19, here for two of its four examples):
# $$z = \cos\phi\; z^{(1)} + \sin\phi\; z^{(2)}$$
# The squares of cosine and sine add up to 1. So $z$ stays as long as noise is. With
# four examples and two angles, the arcs span a surface.


# %%
@torch.no_grad()
def manifold(flow: Flow, x: Tensor, n: int) -> Tensor:
    """Span a surface by four examples x (eq. 19): n × n events, φ downwards, φ' right.

    The corners are the examples, in the order of reading.
    """
    z1, z2, z3, z4 = flow.bijection(x)[0]
    angle = torch.linspace(0, math.pi / 2, n, dtype=z1.dtype, device=z1.device)
    each = (n, *(1 for _ in z1.shape))
    cos, sin = angle.cos().reshape(each), angle.sin().reshape(each)
    upper, lower = cos * z1 + sin * z2, cos * z3 + sin * z4
    z = cos[:, None] * upper + sin[:, None] * lower
    return flow.bijection.inverse(z.flatten(0, 1))[0].unflatten(0, (n, n))


# %% [markdown]
# Half-way between two test digits, the model finds that image likely. The plain mean of
# their pixels it does not.

# %%
if __name__ == "__main__":
    with torch.no_grad():
        x = dequantise(test).reshape(-1, 1, 8, 8)
        left, right = x.chunk(2)
        z = (flow.bijection(left)[0] + flow.bijection(right)[0]) / math.sqrt(2)
        between = bits_per_dim(flow.log_prob(flow.bijection.inverse(z)[0])).item()
        blended = bits_per_dim(flow.log_prob((left + right) / 2)).item()
    print(f"bits per dimension: {between:.2f} by noise, {blended:.2f} by pixels")
    check("between two digits: bits saved by noise", blended - between, above=0.25)

# %% Between four digits of the test set, by way of the noise tags=["plot"]
if __name__ == "__main__":
    page = manifold(flow, x[[9, 3, 7, 8]], 9).reshape(9, 9, 8, 8)
    fig, axes = figure(width=4, height=4)
    images(axes[0], {f"φ = {90 * k / 8:.0f}°": page[k] for k in range(9)})
    show(
        fig,
        "Nine rows of nine images. The corners are a 0, 1, 4 and 3 of the test set. "
        "The others turn gradually from one into another, mostly by strokes that "
        "bend, appear or fade.",
    )

# %% [markdown]
# ## What each scale holds
#
# The first scale has 32 numbers of noise, and the second has 32. Draw one of them anew,
# and keep the other. How much does the image change?

# %%
if __name__ == "__main__":
    with torch.no_grad():
        z = flow.bijection(x)[0]
        first = torch.arange(64, device=device()) < 32
        fresh = torch.randn_like(z)
        redrawn = {
            "first": flow.bijection.inverse(torch.where(first, fresh, z))[0],
            "second": flow.bijection.inverse(torch.where(first, z, fresh))[0],
        }
    change = {name: (y - x).square().mean().item() for name, y in redrawn.items()}
    ratio = change["first"] / change["second"]
    print(f"change by the first scale, over that by the second: {ratio:.2f}")
    check("change by the first scale, over the second", ratio, below=0.4)

# %% What each scale holds: its noise drawn anew tags=["plot"]
if __name__ == "__main__":
    fig, axes = figure(height=1.4)
    drawn = {"truth": x} | {f"{name} redrawn": y for name, y in redrawn.items()}
    images(axes[0], {name: y[:12, 0] for name, y in drawn.items()})
    show(
        fig,
        "Twelve test digits. Below them the same with the noise of the first scale "
        "drawn anew, which mostly keeps the digit, and with that of the second, which "
        "mostly makes another.",
    )

# %% [markdown]
# The first scale holds details, and the second holds the digit.
#
# ## What the paper claims, and what holds
#
# The paper claims that scales which depend on the place make flows richer, and that
# masks, convolutions and several scales carry them to images.

# %%
if __name__ == "__main__":
    claim(
        "Real NVP passes the limit of constant volume: its gap to the two scales is {} "
        "nats",
        gap,
        below=0.1,
    )
    claim(
        "On images, couplings that scale need {} bits per dimension less than those "
        "that only shift",
        gain["images, shifts only"],
        above=0.13,
    )
    claim(
        "With the same masks, scales and size, convolutional residual networks need {} "
        "bits per dimension less than dense ones",
        gain["images, dense"],
        above=0.08,
    )

# %%
if __name__ == "__main__":
    all_checks("real_nvp")

# %% [markdown]
# Reported and obtained: the paper's data are larger, so no number can be the same.

# %% tags=["plot"]
if __name__ == "__main__":
    ours = f"{bits['Real NVP, images']:.2f} on digits"
    table(
        ("", "the paper", "here", "why"),
        [
            ("data", "CIFAR-10 and larger", "digits, 8×8", "nothing to download"),
            ("bits per dimension", "3.49 on CIFAR-10 (Table 1)", ours, "other data"),
            ("maps", "64 for CIFAR-10", "16", "1,297 images"),
            ("residual blocks", "8 for CIFAR-10", "1", "1,297 images"),
            ("couplings", "10 for CIFAR-10", "10", "as 4×4 is the last scale"),
            ("logit of", "α + (1 - α) x", "α + (1 - 2α) x", "finite; as their code"),
            ("normalised", "the moved half (their code)", "all", "as eq. 17 reads"),
            ("penalty on g", "5e-5", "none", "400 steps"),
            ("start of a", "0 (their code)", "1", "our networks start at 0"),
            ("rate", "0.001", "0.001, images 0.002", "short run"),
        ],
    )

# %% [markdown]
# ## Three things to remember
#
# 1. A coupling may scale as well as shift. Then $\log|\det J|$ is the sum of $s$, and
#    volume changes from place to place.
# 2. Masks, convolutions and squeezing make couplings for images. Half of the numbers
#    become noise after each scale.
# 3. Batch normalisation is a layer of the flow with a determinant of its own. There is
#    a density only when its averages stand still.
#
# ## Three to try
#
# Predict first, then change the line and run its cell and those that need it again.
#
# **1. The same mask each time.** If masks do not take turns, how many of the 64 pixels
# does no coupling ever move?
#
# ```diff
# - yield MaskedCoupling(mask if k % 2 == 0 else ~mask, univariate(), m)
# + yield MaskedCoupling(mask, univariate(), m)
# ```
#
# <details><summary>Answer</summary>
#
# Sixteen, one in each block of 2×2. The checkerboard always keeps the upper right and
# the lower left pixel. The channel mask always keeps the upper two. The upper right
# pixel is in both, and then leaves as noise. The check of the model fails.
#
# </details>
#
# **2. Leave the model in training mode.** Does the density of an image change when
# other images come with it?
#
# ```diff
# - model = small.eval()
# + model = small.train()
# ```
#
# <details><summary>Answer</summary>
#
# Yes. In training mode each batch moves the averages, and the image is normalised by
# them. So the number is no density of $x$ alone, and the check fails. Report
# likelihoods in evaluation mode only.
#
# </details>
#
# **3. The formula as printed.** What becomes of a white pixel, $x = 1$?
#
# ```diff
# - z = torch.logit(self.alpha + (1 - 2 * self.alpha) * x)
# + z = torch.logit(self.alpha + (1 - self.alpha) * x)
# ```
#
# <details><summary>Answer</summary>
#
# It goes to infinity: $\alpha + (1 - \alpha) \cdot 1 = 1$, and
# $\operatorname{logit}(1) = \infty$. Its log-density is no number any more, and the
# check of the probability fails.
#
# </details>
#
# ## What to read next
#
# - [MADE](made.ipynb) takes another road to a simple determinant: every output sees
#   only earlier inputs.
# - [MAF](maf.ipynb) uses this affine map with every component seeing all earlier ones.
#   Couplings are its special case.
# - [Glow](glow.ipynb) learns how to mix the channels, and replaces batch normalisation
#   by a layer that needs no batch.
# - [Neural spline flows](nsf.ipynb) put a more flexible map in the place of the affine
#   one.

# %% tags=["plot", "thumbnail"]
if __name__ == "__main__":
    fig, ax = square()

    def tile(x: float, y: float, colour: str) -> None:
        """Draw one pixel, from its lower left corner."""
        ax.fill([x, x + 0.94, x + 0.94, x], [y, y, y + 0.94, y + 0.94], color=colour)

    for i in range(4):
        for j in range(4):
            tile(j, 3.2 + i, BLUE if (i + j) % 2 else ORANGE)
    for k in range(4):
        for i in range(2):
            for j in range(2):
                tile(2.6 + 0.85 * k + j, 1.1 - 0.75 * k + i, (GREEN, PURPLE)[k % 2])
    thumbnail(
        fig,
        "A checkerboard of 4×4 pixels. Before it, four layers of 2×2 pixels lie one "
        "on another: the image, squeezed.",
    )
