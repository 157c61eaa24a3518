# %% [markdown]
# # MADE: masked autoencoder for distribution estimation
#
# How probable is a picture? Give every pixel its own probability, and you get snow: the
# figure shows it. Pixels must know of each other. Models that could do this exactly
# went from pixel to pixel, 784 steps for one small picture.
#
# Germain, Gregor, Murray and Larochelle ([2015](https://arxiv.org/abs/1502.03509)) get
# all answers from one pass of one network. They take an autoencoder, which copies its
# input. They cut connections, until the output for a pixel sees only the pixels before
# it.
#
# The result: an exact probability, for the price of one pass. Samples still appear
# pixel by pixel. [MAF](maf.ipynb) and [IAF](iaf.ipynb) are built from this network.

# %%
"""MADE (Germain, Gregor, Murray and Larochelle, 2015, arXiv:1502.03509)."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from bisect import bisect_left
from collections.abc import Callable, Sequence
from functools import partial
from itertools import cycle, pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli, Distribution, Normal
from torch.nn.functional import linear, one_hot
from torch.utils.flop_counter import FlopCounterMode

from implementations.core.bijection import (
    Bijection,
    Mapped,
    Univariate,
    by_kind,
    check_context,
    check_count,
    check_event,
)
from implementations.core.claims import all_checks, check, claim, table
from implementations.core.diagrams import diagram, network, words
from implementations.core.digits import digits
from implementations.core.environment import device, seed
from implementations.core.fit import History, fit
from implementations.core.flow import Base
from implementations.core.nets import in_chunks, mlp, relu, size
from implementations.core.plots import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    densities,
    figure,
    images,
    label_lines,
    levels,
    show,
    square,
    thumbnail,
)
from implementations.core.toy import Banana
from implementations.core.unroll import Sorted, unroll

# %% Digits, and what is left of them when every pixel is drawn alone tags=["plot"]
if __name__ == "__main__":
    seed()
    parts = digits()
    train, validation, test = binary = [(part.images >= 8).float() for part in parts]
    # One more of each than seen, so that nothing is impossible.
    mean = (train.sum(0) + 1) / (len(train) + 2)
    rows = {"digits": train[:12], "snow": mean.expand(12, 64).bernoulli()}
    fig, axes = figure(height=1.0)
    images(axes[0], {name: x.view(12, 8, 8) for name, x in rows.items()})
    show(
        fig,
        "Twelve digits of black and white pixels. Below, twelve pictures whose pixels "
        "were drawn one by one, each with its right probability: dark spots near the "
        "middle, but no strokes.",
    )

# %% [markdown]
# ## The idea in one picture

# %% An autoencoder, and MADE: no line leads to a lower number tags=["plot"]
if __name__ == "__main__":
    numbers = [[1, 2, 3], [1, 1, 2, 2], [0, 1, 2]]
    colours = {0: GREY, 1: BLUE, 2: ORANGE, 3: GREEN}
    columns = (0.7, 1.8, 2.9)
    seen_by = ["$p(x_1)$", "$p(x_2 | x_1)$", "$p(x_3 | x_1, x_2)$"]
    copies = [f"$\\hat x_{d}$" for d in (1, 2, 3)]
    fig, axes = diagram(columns=2, width=3.6, height=2.9)
    for ax, cut in zip(axes, (False, True), strict=True):
        edges = [
            [[float(not cut or above >= below) for below in row] for above in next_row]
            for row, next_row in pairwise(numbers)
        ]
        inside = [[str(k) if cut else "" for k in row] for row in numbers]
        tints = [[colours[k] if cut else GREY for k in row] for row in numbers]
        network(ax, inside, edges, (0.15, 0.75), (3.3, 1.3), tints)
        words(ax, (1.8, 2.75), "MADE" if cut else "an autoencoder")
        for d, x in enumerate(columns):
            words(ax, (x, 0.4), f"$x_{d + 1}$", colours[d + 1] if cut else GREY)
            words(ax, (x, 2.4), (seen_by if cut else copies)[d], tints[2][d])
    show(
        fig,
        "Two networks of three inputs, four hidden units and three outputs. In the "
        "autoencoder every line is there, so each output sees its own input. In MADE "
        "the units carry numbers: 1, 2, 3 for the inputs, 1, 1, 2, 2, and 0, 1, 2 for "
        "the outputs. Lines to a smaller number are cut.",
    )

# %% [markdown]
# Any probability is a product: of $x_1$, of $x_2$ when $x_1$ is known, of $x_3$ when
# both are known, and so on. One network can compute all factors at once, if each output
# sees only what it may see.
#
# Give every unit a number, its *degree*: how many components it may depend on, counted
# from the first. Input $x_d$ has degree $d$. The output for $x_d$ must not see $x_d$,
# so it has degree $d - 1$. Hidden units have degrees from 1 to $D - 1$. Keep a
# connection where the degree does not fall, and cut the others. Along a path the degree
# never falls, so no path leads from $x_d$ to its own output, or to an earlier one.
#
# ## Symbols and direction
#
# | Symbol | In code | Meaning |
# | :-- | :-- | :-- |
# | $x_d$, $x_{<d}$ | `x` | component $d$ of $D$, and all before it in some order |
# | $m$ | `m` | the masked network |
# | $\deg k$ | `degrees` | how many components unit $k$ may depend on |
# | $M$ | `mask` | of a layer: 1 where a connection is kept, 0 where it is cut |
#
# (The paper writes $m(k)$ for $\deg k$.) MADE is a density and no flow: `log_prob`
# takes one pass of the network, `sample` goes component by component. At the end its
# network steers a flow. There `forward` goes from data to noise and takes one pass. The
# paper has no such flow.
#
# ## Masks
#
# The layers are those of any network, but their weights are multiplied by masks (eq. 6
# and 7; for deep networks 12 and 13):
# $$h = \mathrm{relu}((W \odot M)\,x + b)$$
# $$M_{k', k} = 1 \text{ if } \deg k' \ge \deg k, \text{ else } 0$$


# %%
def mask(before: Tensor, after: Tensor) -> Tensor:
    """M, of shape (outputs, inputs), from the degrees of both (eq. 12 and 13)."""
    return (after[:, None] >= before).float()


def logits(x: Tensor, layers: Sequence[nn.Linear], degrees: Sequence[Tensor]) -> Tensor:
    """a, with p(x_d = 1 | x before d) = σ(a_d) for every d: one pass (eq. 6 and 7)."""
    h = x
    for layer, (before, after) in zip(layers, pairwise(degrees), strict=True):
        h = linear(h, layer.weight * mask(before, after), layer.bias)
        h = h if layer is layers[-1] else h.relu()
    return h


# %% [markdown]
# The probability of $x$ is the product of its factors. Its logarithm is minus the
# *cross-entropy* that autoencoders are trained on (eq. 4 and 5). So training does not
# change at all. With $\hat x_d = \sigma(a_d)$:
# $$\log p(x) = \sum_d \log p(x_d \mid x_{<d})$$
# $$= \sum_d x_d \log \hat x_d + (1 - x_d) \log(1 - \hat x_d)$$
# `Bernoulli` from PyTorch computes each term.
#
# Now test the construction before any training. Ten binary components have 1,024
# states, few enough to add up all probabilities. Weights are random, and so are the
# degrees of the hidden units, as in the paper. `check` stops the notebook when a number
# is not inside its bound; all checks are listed at the end.

# %%
if __name__ == "__main__":
    seed()
    states = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 10)
    degrees = [torch.arange(1, 11), torch.randint(1, 10, (100,)), torch.arange(10)]
    layers = [nn.Linear(10, 100), nn.Linear(100, 10)]
    for layer in layers:
        nn.init.normal_(layer.weight)
    with torch.no_grad():
        a = logits(states, layers, degrees)
        total = Bernoulli(logits=a).log_prob(states).sum(1).double().exp().sum().item()
    sees = mask(degrees[1], degrees[2]) @ mask(degrees[0], degrees[1]) > 0
    missed = 45 - int(sees.tril(-1).sum())
    print(f"sum over all states: {total:.5f}")
    print(f"earlier components that an output misses: {missed} of 45")
    check("random weights: sum over states", total, above=0.9999, below=1.0001)
    check("random degrees: earlier components missed, of 45", missed, below=1)

# %% [markdown]
# The sum is 1 whatever the weights are. And nothing is lost: between them, the hidden
# units tell every output about everything before it.
#
# To draw a sample, take a pass for each component. Whatever later components hold does
# not matter, so they may be 0:


# %%
def draw_by_passes(
    u: Tensor, layers: Sequence[nn.Linear], degrees: Sequence[Tensor]
) -> Tensor:
    """Draw x: x_d = 1 where u_d, uniform on [0, 1], is below σ(a_d)."""
    x = torch.zeros_like(u)
    for d in range(x.shape[1]):
        p = logits(x, layers, degrees)[:, d].sigmoid()
        x[:, d] = u[:, d] < p
    return x


# %% [markdown]
# ## Many orders, one set of weights
#
# No order of the pixels is the right one. Another order gives other masks, and the same
# weights may serve both. So train under one mask after another: one set of weights and
# $K$ models (§4.3). Hidden degrees may change with the order, too (§4.4). Afterwards
# average the models, as probabilities:
# $$p(x) = \tfrac1K \sum_k p_k(x)$$
#
# The two classes below are `logits` for many masks and any number of outputs for a
# component. A *context*, such as a class, has degree 0, so everything sees it. `direct`
# adds connections from the inputs to the outputs past the hidden layers (§4.1).
#
# The paper draws degrees at random. We spread them evenly, and shuffle them for other
# masks. This is equivalent to random degrees, but fixes how many units have each. Then
# units sorted by degree are computed slice by slice while a sample is drawn, each unit
# once. Some cut weights lie inside a slice; multiplying a few zeros is faster than
# skipping them. (`by_degree` sorts; `core/unroll.py` goes through the slices. A first
# reading may skip both classes.)


# %%
class MaskedLinear(nn.Linear):
    """y = (W ⊙ M) x + b, with M = 1[after ≥ before] (eq. 12 and 13).

    `before` and `after` are the degrees of inputs and outputs, a row for each of K
    masks; every row of `after` holds the same degrees, below `dim`, in whatever order.
    """

    before: Tensor
    after: Tensor
    only: Tensor | None

    def __init__(
        self,
        dim: int,
        before: Sequence[list[int]],
        after: Sequence[list[int]],
        bias: bool = True,
    ) -> None:
        # Lists, not tensors: the masks are known where there are no values, on "meta".
        super().__init__(len(before[0]), len(after[0]), bias)
        self.register_buffer("before", torch.tensor(before))
        self.register_buffer("after", torch.tensor(after))
        # One mask is kept as numbers, which multiply faster; many would fill memory.
        only = self.mask().to(self.weight.dtype) if len(after) == 1 else None
        self.register_buffer("only", only)
        degrees = sorted(after[0])
        self.ends = [bisect_left(degrees, i) for i in range(dim + 1)]

    def mask(self, k: int = 0) -> Tensor:
        """M, of shape (outputs, inputs)."""
        return self.after[k, :, None] >= self.before[k]

    def forward(self, input: Tensor, k: int = 0) -> Tensor:
        return self.under(k)(input)

    def under(self, k: int) -> Callable[[Tensor], Tensor]:
        """Return the layer under mask k, which is multiplied once for all inputs."""
        return partial(linear, weight=self.masked(k), bias=self.bias)

    def masked(self, k: int) -> Tensor:
        """W ⊙ M, of shape (outputs, inputs)."""
        return self.weight * (self.mask(k) if self.only is None else self.only)

    def by_degree(self, k: int = 0) -> Sorted:
        """Return the weights under mask k, sorted by the degrees of both ends."""
        rows = self.after[k].argsort(stable=True)
        columns = self.before[k].argsort(stable=True)
        bias = self.weight.new_zeros(len(rows)) if self.bias is None else self.bias
        # Four times as fast as weight[rows][:, columns].
        weight = self.masked(k).index_select(0, rows).index_select(1, columns)
        return Sorted(weight, bias[rows, None], self.ends)


# %%
def spread(width: int, low: int, high: int) -> list[int]:
    """Return `width` degrees from `low` to `high`, ascending, each equally often."""
    return [low + k * (high - low + 1) // width for k in range(width)]


def shuffled(degrees: list[int]) -> list[int]:
    """Return the degrees in another order, which is drawn now."""
    return [degrees[k] for k in torch.randperm(len(degrees), device="cpu").tolist()]


class MaskedMLP(nn.Module):
    """A network whose `n_params` outputs for a component see only those before it.

    Orders list the components from first to last; each comes with a mask of its own,
    0 … K-1. In the first one hidden units are sorted by degree, in the others shuffled.
    A context is seen by all. Outputs are 0 until trained; `direct` lets them see the
    inputs past the hidden layers as well (§4.1); `apart` puts outputs of one kind side
    by side, which changes no number.

    Raises:
        ValueError: when an order is no permutation of the components.
    """

    def __init__(
        self,
        dim: int,
        n_params: int,
        hidden: Sequence[int] = (64, 64),
        orders: Sequence[Sequence[int]] | None = None,
        context: int = 0,
        activation: Callable[[], nn.Module] = relu,
        direct: bool = False,
        apart: bool = False,
    ) -> None:
        super().__init__()
        self.dim, self.n_params, self.context = dim, n_params, context
        orders = [range(dim)] if orders is None else orders
        for order in orders:
            if sorted(order) != list(range(dim)):
                raise ValueError(
                    f"MaskedMLP: expected an order of 0 … {dim - 1}, got {list(order)}"
                )
        place = [sorted(range(dim), key=order.__getitem__) for order in orders]
        # A degree says how many components, from the first, a unit may depend on.
        degrees = [[[0] * context + [p + 1 for p in row] for row in place]]
        for width in hidden:
            # Degree 0 sees only the context; without one, it would be a constant.
            each = spread(width, min(int(context == 0), dim - 1), dim - 1)
            degrees.append([each, *(shuffled(each) for _ in orders[1:])])
        self.apart = apart
        outputs = [
            row * n_params if apart else [p for p in row for _ in range(n_params)]
            for row in place
        ]
        self.register_buffer("place", torch.tensor(place))
        hidden_layers = [MaskedLinear(dim, *ends) for ends in pairwise(degrees)]
        self.hidden = cast(Sequence[MaskedLinear], nn.ModuleList(hidden_layers))
        self.activation = activation()
        self.output = _zero(MaskedLinear(dim, degrees[-1], outputs))
        self.direct = None
        if direct:
            self.direct = _zero(MaskedLinear(dim, degrees[0], outputs, bias=False))

    place: Tensor

    @property
    def masks(self) -> int:
        """The number of masks."""
        return len(self.place)

    def forward(self, x: Tensor, context: Tensor | None = None, k: int = 0) -> Tensor:
        """Return parameters of shape (batch, dim, n_params), under mask k."""
        *hidden, output = [layer.under(k) for layer in (*self.hidden, self.output)]
        direct = None if self.direct is None else self.direct.under(k)

        def params(x: Tensor) -> Tensor:
            h = x
            for layer in hidden:
                h = self.activation(layer(h))
            return output(h) if direct is None else output(h) + direct(x)

        outputs = in_chunks(params, self._with_context(x, context))
        if self.apart:
            return outputs.unflatten(1, (self.n_params, self.dim)).mT
        return outputs.unflatten(1, (self.dim, self.n_params))

    def unroll(
        self,
        z: Tensor,
        undo: Callable[[Tensor, Tensor], Tensor],
        context: Tensor | None = None,
        k: int = 0,
    ) -> Tensor:
        """Solve x_i = undo(z_i, params_i(x before i)) for x, component by component.

        `undo` takes shapes (batch,) and (batch, n_params). Each hidden unit is
        computed once, as soon as all that it sees is known (`core/unroll.py`).
        """
        layers = [layer.by_degree(k) for layer in (*self.hidden, self.output)]
        direct = None if self.direct is None else self.direct.by_degree(k)
        given = self._with_context(z[:, :0], context).T
        z = z.T.index_select(0, self.place[k].argsort())
        # `forward` calls no hooks, which would take longer than the activation itself.
        x = unroll(layers, self.activation.forward, z, undo, given, direct)
        return x.index_select(0, self.place[k]).T.contiguous()

    def _with_context(self, x: Tensor, context: Tensor | None) -> Tensor:
        if context is None or not self.context:
            return x
        return torch.cat((context, x), 1)


def _zero(layer: MaskedLinear) -> MaskedLinear:
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer


# %% [markdown]
# Do these classes do what the short functions above do, and do slices draw the same
# samples as one pass for each component?

# %%
if __name__ == "__main__":
    net = MaskedMLP(10, 1, (100,))
    layers = [*net.hidden, net.output]
    for layer in layers:
        nn.init.normal_(layer.weight)
    degrees = [net.hidden[0].before[0], *(layer.after[0] for layer in layers)]
    u = torch.rand(1000, 10)
    with torch.no_grad():
        apart = net(states).squeeze(2) - logits(states, layers, degrees)
        slices = net.unroll(u, lambda u_d, a: (u_d < a[:, 0].sigmoid()).float())
        differ = (slices != draw_by_passes(u, layers, degrees)).float().mean().item()
    error = apart.abs().max().item()
    print(f"outputs differ by {error:.1g}; samples differ in {differ:.1g} of all bits")
    check("short and full network: difference of outputs", error, below=1e-4)
    check("passes and slices: share of bits that differ", differ, below=1e-3)

# %% Masks for two orders: one set of weights, two models tags=["plot"]
if __name__ == "__main__":
    net = MaskedMLP(6, 1, (12,), orders=[range(6), (3, 0, 5, 1, 4, 2)])
    fig, axes = figure(columns=4, height=3.4)
    for k, order in enumerate(("1 2 3 4 5 6", "4 1 6 2 5 3")):
        titled = {
            f"hidden see inputs,\norder {order}": net.hidden[0].mask(k),
            f"outputs see hidden,\norder {order}": net.output.mask(k).T,
        }
        for ax, (name, kept) in zip(axes[2 * k :], titled.items(), strict=False):
            squares = kept.float().numpy()
            ax.imshow(squares, cmap=INK, vmin=0, vmax=1.4, interpolation="nearest")
            ax.set(title=name, xticks=[], yticks=[])
            ax.spines[:].set_visible(True)
    show(
        fig,
        "Masks of a network of 6 inputs, 12 hidden units (in rows) and 6 outputs, for "
        "two orders. In the natural order both masks are staircases. In the other "
        "order the same number of connections is kept, in shuffled places.",
    )

# %% [markdown]
# ## The model
#
# What the outputs mean is a choice: the probability of a 1, or mean and scale of a
# Gaussian (which the paper does not have). `MADE` is the network, such a choice, and
# the average over masks.


# %%
class Conditional(ABC):
    """p(x_i | x before i), steered by `n_params` outputs of the network."""

    n_params: int

    @abstractmethod
    def __call__(self, params: Tensor) -> Distribution:
        """Return the distribution for parameters of shape (…, n_params)."""


class Binary(Conditional):
    """p(x_i = 1) = σ(a_i), for components 0 and 1 (eq. 5)."""

    n_params = 1

    def __call__(self, params: Tensor) -> Distribution:
        return Bernoulli(logits=params.squeeze(-1), validate_args=False)


class Gaussian(Conditional):
    """N(μ_i, exp(α_i)²), for real components (not in the paper)."""

    n_params = 2

    def __call__(self, params: Tensor) -> Distribution:
        mean, log_std = by_kind(params)
        return Normal(mean, log_std.exp(), validate_args=False)


class MADE(Base):
    """p(x) = mean over masks k of Π_i p_k(x_i | x before i, context) (§4.3, §4.4).

    Raises:
        ValueError: from `log_prob` and `sample`, when x is no floating-point batch of
            width `dim`, or the context is missing or misshapen.
    """

    def __init__(
        self,
        dim: int,
        conditional: Conditional,
        hidden: Sequence[int] = (64, 64),
        orders: Sequence[Sequence[int]] | None = None,
        context: int = 0,
        direct: bool = True,
    ) -> None:
        super().__init__((dim,), context)
        self.conditional = conditional
        n_params = conditional.n_params
        self.m = MaskedMLP(dim, n_params, hidden, orders, context, direct=direct)

    def log_prob(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        members = [self.log_prob_under(k, z, context) for k in range(self.m.masks)]
        return torch.stack(members).logsumexp(0) - math.log(len(members))

    def log_prob_under(
        self, k: int, x: Tensor, context: Tensor | None = None
    ) -> Tensor:
        """Σ_i log p_k(x_i | x before i), in nats, of shape (batch,)."""
        check_event("MADE", "x", x, self.shape)
        self._check(context, x.shape[0])
        return self.conditional(self.m(x, context, k)).log_prob(x).sum(1)

    @torch.no_grad()
    def sample(self, n: int, context: Tensor | None = None) -> Tensor:
        """Draw n events, each under a mask chosen at random."""
        check_count("MADE", n)
        self._check(context, n)
        blank = self.zero.new_empty(n, *self.shape)
        if self.m.masks == 1:
            return self._draw(blank, context, 0)
        which = torch.randint(self.m.masks, (n,), device=blank.device)
        for k in range(self.m.masks):
            own = which == k
            blank[own] = self._draw(
                blank[own], None if context is None else context[own], k
            )
        return blank

    def _draw(self, blank: Tensor, context: Tensor | None, k: int) -> Tensor:
        def draw(_: Tensor, params: Tensor) -> Tensor:
            return self.conditional(params).sample()

        return self.m.unroll(blank, draw, context, k)

    def _check(self, context: Tensor | None, n: int) -> None:
        if self.context:
            check_context("MADE", context, (n, self.context))


def made(
    dim: int,
    hidden: Sequence[int] = (8000, 8000),
    masks: int = 32,
    conditional: type[Conditional] = Binary,
    context: int = 0,
) -> MADE:
    """Build MADE for vectors of width `dim`, as large as the paper's for MNIST.

    The orders of its `masks` are random. `context` is the width of what the density is
    conditioned on (not in the paper).
    """
    orders = torch.rand(masks, dim, device="cpu").argsort().tolist()
    return MADE(dim, conditional(), hidden, orders, context)


# %% [markdown]
# ## All probabilities sum to one
#
# Now with training. The truth is a mixture of eight states, each with 5% of its bits
# flipped. An ordinary autoencoder is trained on the same cross-entropy. Without hidden
# layers, MADE is a logistic regression of each component on those before it.


# %%
def learn(
    model: MADE,
    draw: Callable[[], Tensor | tuple[Tensor, ...]],
    steps: int,
    lr: float,
    validate: Callable[[], Tensor] | None = None,
) -> History:
    """Fit the model by maximum likelihood, under one mask after another."""
    k = cycle(range(model.m.masks))

    def loss(x: Tensor, context: Tensor | None = None) -> Tensor:
        return -model.log_prob_under(next(k), x, context).mean()

    return fit(model.to(device()), loss, steps, draw, lr=lr, validate=validate)


def pick(states: Tensor, p: Tensor) -> Tensor:
    """Draw 200 of the states, with probabilities p."""
    return states[p.multinomial(200, replacement=True)]


def reconstruction(copier: nn.Module, x: Tensor) -> Tensor:
    """Σ_d x_d log x̂_d + (1 - x_d) log(1 - x̂_d): minus the cross-entropy (eq. 3)."""
    return Bernoulli(logits=copier(x)).log_prob(x).sum(1)


# %%
if __name__ == "__main__":
    seed()
    states = states.to(device())
    centres = 0.05 + 0.9 * torch.rand(8, 10, device=device()).round()
    of_centres = Bernoulli(centres).log_prob(states[:, None]).sum(2)
    p = of_centres.exp().mean(1)
    draw = partial(pick, states, p)
    copier = mlp(10, 10, (100,)).to(device())
    fit(copier, lambda x: -reconstruction(copier, x).mean(), 1000, draw, lr=1e-2)
    logistic, small = MADE(10, Binary(), (), direct=False), made(10, (100,), 4)
    for model in (logistic, small):
        learn(model, draw, 2000, lr=1e-2)
    with torch.no_grad():
        found = {
            "autoencoder": reconstruction(copier, states),
            "independent": Bernoulli(p @ states).log_prob(states).sum(1),
            "MADE, no hidden layer": logistic.log_prob(states),
            "MADE, 100 units, 4 masks": small.log_prob(states),
        }
        totals = {name: log_q.double().exp().sum() for name, log_q in found.items()}
        gaps = {name: (p * (p.log() - log_q)).sum() for name, log_q in found.items()}
        each = [small.log_prob_under(k, states).exp().sum() - 1 for k in range(4)]
    names = [name for name in found if name != "autoencoder"]
    table(
        ("model", "sum over all states", "gap to the truth, nats"),
        [("autoencoder", f"{totals['autoencoder']:.0f}", "no density")]
        + [(name, f"{totals[name]:.4f}", f"{gaps[name]:.3f}") for name in names],
    )
    off = max(abs(error.item()) for error in each)
    check("trained, every mask: error of the sum", round(off, 4), below=1e-3)
    copied = totals["autoencoder"].item()
    check("autoencoder: sum over states", copied, above=900)
    gap = gaps["MADE, 100 units, 4 masks"].item()
    ratio = gap / gaps["MADE, no hidden layer"].item()
    check("MADE's gap, over that without hidden units", ratio, below=0.1)

# %% [markdown]
# The autoencoder takes every state for nearly certain, since it copies. Its 1,024
# "probabilities" sum to about 1,000. The masks end this.

# %% Learned against true log-probability, for all 1,024 states tags=["plot"]
if __name__ == "__main__":
    fig, axes = figure(columns=3, height=2.6)
    for ax, name in zip(axes, ["autoencoder", *names[1:]], strict=True):
        ax.plot(p.log().cpu(), found[name].cpu(), ".", markersize=2, alpha=0.4)
        ax.axline((-8, -8), slope=1, color=GREY, linewidth=0.8)
        ax.set(xlabel="$\\log p$", xlim=(-23, 0), ylim=(-23, 1))
        ax.set_title(name.replace(", ", "\n", 1))
    axes[0].set_ylabel("$\\log q$")
    show(
        fig,
        "Log-probability of all 1,024 states, model against truth. The autoencoder's "
        "lie at 0 whatever the truth; without hidden units they scatter widely; with "
        "them they follow the diagonal, closest for likely states.",
    )

# %% [markdown]
# ## Digits: is an average of four masks worth it?
#
# The paper's data are binary MNIST. Ours are the digits of the first figure: 8×8
# pixels, a pixel being 1 from level 8 of 16 upwards. The network has one hidden layer
# of 500 units. Every training keeps the weights that are best on the validation set.
#
# The average over four masks takes four passes for a picture, so one mask is no fair
# opponent. Four separate networks, of one order each and averaged as well, are fairer.
# They take four passes, too, and have four times the weights. Each is trained for 1,500
# steps, which is as many in all as the others have.


# %%
def learn_digits(
    model: MADE, images: Sequence[Tensor], *labels: Tensor, steps: int = 6000
) -> History:
    """Learn the first of the images, and validate on the second, with their labels."""

    def draw() -> tuple[Tensor, ...]:
        rows = torch.randint(len(images[0]), (100,), device=device())
        return tuple(part[rows] for part in (images[0], *labels[:1]))

    def validate() -> Tensor:
        return -model.log_prob(images[1], *labels[1:2]).mean()

    return learn(model, draw, steps, 2e-3, validate)


@torch.no_grad()
def averaged(models: Sequence[MADE], x: Tensor) -> Tensor:
    """log p(x) of separate networks that are averaged as probabilities."""
    members = torch.stack([model.log_prob(x) for model in models])
    return members.logsumexp(0) - math.log(len(models))


# %%
if __name__ == "__main__":
    seed()
    labels = [one_hot(part.labels, 10).float() for part in parts]
    one, four = made(64, (500,), masks=1), made(64, (500,), masks=4)
    by_class = made(64, (500,), masks=1, context=10)
    logistic = MADE(64, Binary(), (), direct=False)
    separate = [made(64, (500,), masks=1) for _ in range(4)]
    learn_digits(logistic, binary, steps=2000)
    curves = {
        "one mask": learn_digits(one, binary),
        "four masks, averaged": learn_digits(four, binary),
    }
    learn_digits(by_class, binary, *labels)
    for model in separate:
        learn_digits(model, binary, steps=1500)

    with torch.no_grad():
        members = [four.log_prob_under(k, test) for k in range(4)]
        told = by_class.log_prob(test, labels[2])
    scores = {
        "independent pixels": (Bernoulli(mean).log_prob(test).sum(1), 0, "", 0),
        "no hidden layer": (averaged([logistic], test), 1, "2,000", size(logistic)),
        "one mask": (averaged([one], test), 1, "6,000", size(one)),
        "four masks, one at a time": (torch.cat(members), 1, "6,000", size(four)),
        "four masks, averaged": (averaged([four], test), 4, "6,000", size(four)),
        "four networks, averaged": (
            averaged(separate, test),
            4,
            "4 × 1,500",
            4 * size(one),
        ),
        "one mask, given the class": (told, 1, "6,000", size(by_class)),
    }
    nats = {name: -score[0].mean().item() for name, score in scores.items()}
    table(
        ("model", "passes", "steps of training", "parameters", "nats per image, test"),
        [
            (name, str(passes), steps, f"{weights:,}", f"{nats[name]:.2f}")
            for name, (_, passes, steps, weights) in scores.items()
        ],
    )

# %% [markdown]
# Averaging is what gains: under any single one of its masks, the network of four masks
# is no better than the one trained for a single mask. And sharing the weights makes the
# average cheap to train: with as many steps in all, four separate networks stay behind.
# They catch up with four times the training. In a trial with two seeds and 6,000 steps
# for each, they reached 16.70 and 16.62 nats, and the four masks of one network 16.75
# and 16.72. So sharing saves three quarters of the training and of the memory. It saves
# no passes.
#
# More masks need more units. In a trial with 32 masks, a network of 200 units learned
# no mask well. The paper's 32 masks share thousands of units.
#
# To be told the class is worth more than $\log 10 = 2.30$ nats, which is what it takes
# to tell it. So even the average over all ten classes, which need not be told, beats a
# single network that never saw one.

# %%
if __name__ == "__main__":
    gained = nats["no hidden layer"] - nats["one mask"]
    check("digits: nats gained by hidden units", gained, above=0.9)
    gained = nats["independent pixels"] - nats["one mask"]
    check("digits: nats gained on independent pixels", gained, above=7.5)
    spread_out = nats["four masks, one at a time"] - nats["four masks, averaged"]
    check("digits: the average, ahead of its members", spread_out, above=0.4)
    gained = nats["one mask"] - nats["one mask, given the class"]
    check("digits: nats gained by the class", gained, above=math.log(10))

# %% One mask against four, on validation images tags=["plot"]
if __name__ == "__main__":
    fig, axes = figure(height=2.6)
    for name, curve in curves.items():
        axes[0].plot(*zip(*curve.validation, strict=True), label=name)
    axes[0].set(xlabel="step", title="nats per image, validation")
    levels(axes[0], {"no hidden layer, test": nats["no hidden layer"]})
    label_lines(axes[0])
    show(
        fig,
        "Nats per image on the validation set. One mask falls fast, and rises after a "
        "quarter of the steps as it overfits; four masks averaged fall more slowly, to "
        "a lower level, and stay there.",
    )

# %% [markdown]
# ## Sampling
#
# A sample is drawn pixel by pixel, in the order of its mask. All its steps together
# should take half of the multiplications of one pass, since every hidden unit is
# computed once from those inputs that it sees. Count them:

# %%
if __name__ == "__main__":
    seed()
    with torch.no_grad():
        with FlopCounterMode(display=False) as evaluation:
            one.log_prob(test[:100])
        with FlopCounterMode(display=False) as sampling:
            drawn = one.sample(100)
        # A member of the mixture shares the weights, but has an order of its own.
        mixed = four.sample(16)
    ratio = sampling.get_total_flops() / evaluation.get_total_flops()
    print(f"multiplications of a sample, over those of one pass: {ratio:.2f}")
    check("multiplications of a sample, in passes", ratio, above=0.5, below=0.6)

# %% A sample appears pixel by pixel; finished samples; true digits tags=["plot"]
if __name__ == "__main__":
    place = one.m.place[0]
    shown = {f"{i} pixels": drawn[:12] * (place < i) for i in (16, 32, 48, 64)}
    shown |= {"four masks": mixed[:12], "test set": test[:12]}
    fig, axes = figure(height=2.2)
    images(axes[0], {name: x.view(12, 8, 8) for name, x in shown.items()})
    show(
        fig,
        "Twelve samples of the model of one mask, after 16, 32, 48 and all 64 pixels, "
        "which appear in random places and end as strokes; below, samples of four "
        "masks and digits of the test set. Most samples look like digits.",
    )

# %% [markdown]
# ## Gaussian outputs, and why the order matters
#
# With a mean and a scale for each output, the same network is a density on real
# vectors. Take the banana of [NICE](nice.ipynb): $x_1 \sim N(0, 1)$ and
# $x_2 = x_1^2 + \tfrac12 \varepsilon$. In the order $(x_1, x_2)$ it is exactly such a
# density. In the order $(x_2, x_1)$ it is not: given $x_2$, there are two likely values
# of $x_1$, and one Gaussian has to cover both.

# %%
if __name__ == "__main__":
    seed()
    banana = Banana().to(device())
    orders = {"$x_1$ first": (0, 1), "$x_2$ first": (1, 0)}
    fits = {name: MADE(2, Gaussian(), orders=[order]) for name, order in orders.items()}
    for model in fits.values():
        learn(model, partial(banana.sample, 256), 1000, lr=3e-3)
    with torch.no_grad():
        x = banana.sample(50_000)
        gaps = [banana.log_prob(x) - model.log_prob(x) for model in fits.values()]
    right, wrong = (each.mean().item() for each in gaps)
    print(
        f"gap to the truth: {right:.4f} nats with x₁ first, {wrong:.2f} with x₂ first"
    )
    check("banana: gap with x₁ first, nats", right, below=0.01)
    check("banana: gap with x₂ first, nats", wrong, above=0.75, below=0.85)

# %% Order matters: the banana, with either variable first tags=["plot"]
if __name__ == "__main__":
    box_of_banana = (-3.0, 3.0, -1.5, 6.0)
    fig, axes = figure(columns=3, width=6.6, box=box_of_banana)
    shown = {"the banana": banana.log_prob}
    shown |= {name: model.log_prob for name, model in fits.items()}
    densities(axes, shown, box_of_banana)
    show(
        fig,
        "Three heat maps in the same colours. The banana, a band bent into a U, and "
        "the density learned with x1 first look the same; with x2 first, the U is "
        "filled, and paler.",
    )

# %% [markdown]
# ## The network steers a flow
#
# Let the outputs for $x_d$ steer an increasing map $g$ of it instead. The Jacobian is
# triangular, so its determinant is the product of slopes, as in NICE:
# $$z_d = g(x_d; m(x_{<d}))$$
# $$\log|\det J| = \sum_d \log g'(x_d)$$
# `forward` knows all of $x$, so one pass is enough. `inverse` finds $x_1$ first, then
# $x_2$, and so on, as sampling does. [MAF](maf.ipynb), [IAF](iaf.ipynb) and
# autoregressive [spline flows](nsf.ipynb) are this class, with other $g$ and other
# directions.


# %%
class Autoregressive(Bijection):
    """z_i = g(x_i; m_i(x before i)), with m a masked network.

    `order` lists the components from first to last, 0 … D-1 by default. The map takes
    one pass of the network, the inverse no more work, but in `dim` steps.
    """

    def __init__(
        self,
        dim: int,
        univariate: Univariate,
        hidden: Sequence[int] = (64, 64),
        order: Sequence[int] | None = None,
        context: int = 0,
        activation: Callable[[], nn.Module] = relu,
    ) -> None:
        super().__init__((dim,), context=context)
        self.univariate = univariate
        orders = None if order is None else [order]
        sizes = dim, univariate.n_params, hidden
        self.m = MaskedMLP(*sizes, orders, context, activation, apart=univariate.apart)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Mapped:
        z, log_slope = self.univariate(x, self.m(x, context))
        return z, log_slope.sum(1)

    def inverse(self, z: Tensor, context: Tensor | None = None) -> Mapped:
        log_slopes = []

        def undo(z_i: Tensor, params: Tensor) -> Tensor:
            x_i, log_slope = self.univariate.inverse(z_i, params)
            log_slopes.append(log_slope)
            return x_i

        x = self.m.unroll(z, undo, context)
        return x, torch.stack(log_slopes).sum(0)


# %% [markdown]
# ## What the paper claims, and what holds
#
# The paper claims that masks make an autoencoder a good exact model, and that averaging
# over masks makes it better. Both hold here. Sharing the weights is what makes the
# average cheap to train.

# %%
if __name__ == "__main__":
    claim("On ten bits, MADE comes within {} nats of the truth", gap, below=0.1)
    gained = nats["one mask"] - nats["four masks, averaged"]
    claim(
        "On digits, averaging four masks of one network gains {} nats on one mask",
        gained,
        above=0.25,
    )
    ahead = nats["four networks, averaged"] - nats["four masks, averaged"]
    claim(
        "It is {} nats ahead of four separate networks with as much training in all",
        ahead,
        above=0.1,
    )

# %%
if __name__ == "__main__":
    all_checks("made")

# %% [markdown]
# Reported and obtained: MNIST has other images, of twelve times as many pixels, so the
# number cannot be the same. What differs besides:

# %% tags=["plot"]
if __name__ == "__main__":
    best = nats["four masks, averaged"]
    table(
        ("", "the paper", "here", "why"),
        [
            ("data", "binary MNIST, 784 pixels", "digits, 64", "nothing to download"),
            ("masks, averaged", "88.04 nats (32 masks)", f"{best:.2f} (4)", "data"),
            ("hidden units", "up to 2 × 8000", "500", "1,297 images"),
            ("degrees", "random", "even, shuffled", "slices of fixed size"),
            ("training", "Adagrad, early stopping", "Adam, best of 60", "a short run"),
            ("outputs", "binary", "binary, Gaussian", "what flows build on"),
            ("context", "none", "seen by all units", "class-conditional models"),
        ],
    )

# %% [markdown]
# ## Three things to remember
#
# 1. Any probability is a product of conditional ones. Masks let one pass of one network
#    compute all of them.
# 2. The rule has one number for each unit: keep a connection where the degree does not
#    fall. The output for $x_d$ has degree $d - 1$.
# 3. Probabilities take one pass, samples as many steps as there are components. Orders
#    differ, so models of several orders are worth averaging.
#
# ## Three to try
#
# Predict first, then change the line and run its cell and those that need it again.
#
# **1. A stricter mask.** Keep a connection only where the degree rises, `>` for `>=`.
# Do the probabilities still sum to one?
#
# ```diff
# - return (after[:, None] >= before).float()
# + return (after[:, None] > before).float()
# ```
#
# <details><summary>Answer</summary>
#
# Yes: with fewer connections, nothing new can leak. But each output misses the two
# components just before it, 17 of the 45 pairs, so the second check fails. The model is
# valid and weaker than need be.
#
# </details>
#
# **2. A leak.** Give every input a degree that is one too low. What do the
# probabilities sum to?
#
# ```diff
# - degrees = [torch.arange(1, 11), torch.randint(1, 10, (100,)), torch.arange(10)]
# + degrees = [torch.arange(10), torch.randint(1, 10, (100,)), torch.arange(10)]
# ```
#
# <details><summary>Answer</summary>
#
# Not to one: to 1.45 with the weights drawn here, so the first check fails. Every
# output but the first now sees its own input, as in an autoencoder. Training would
# raise the sum to hundreds, and the loss would look splendid.
#
# </details>
#
# **3. Average the logarithms.** Some programs average $\log p_k(x)$ over the masks
# instead of $p_k(x)$. Is the result still a probability?
#
# ```diff
# - return torch.stack(members).logsumexp(0) - math.log(len(members))
# + return torch.stack(members).mean(0)
# ```
#
# <details><summary>Answer</summary>
#
# No: it sums to less than one. A mean of logarithms is never above the logarithm of the
# mean, and is below it wherever the models differ. The probability that is lost belongs
# to no state, and the average looks no better than its members.
#
# </details>
#
# ## What to read next
#
# - [MAF](maf.ipynb) reads the Gaussian model as a flow and stacks it, each layer in
#   another order. That mends the banana with $x_2$ first.
# - [IAF](iaf.ipynb) turns the same layer round, for fast samples.
# - [Neural spline flows](nsf.ipynb) steer a more flexible map with the same network.

# %% tags=["plot", "thumbnail"]
if __name__ == "__main__":
    fig, ax = square()
    ax.set(xlim=(0, 1), ylim=(0, 1))
    rows_of = [
        [(x, y) for x in torch.linspace(0, 1, len(row) + 2)[1:-1].tolist()]
        for y, row in zip((0.13, 0.5, 0.87), numbers, strict=True)
    ]
    for level, (below, above) in enumerate(pairwise(rows_of)):
        for i, upper in enumerate(above):
            for j, lower in enumerate(below):
                degree = numbers[level][j]
                if numbers[level + 1][i] >= degree:
                    ends = zip(lower, upper, strict=True)
                    ax.plot(*ends, color=colours[degree], linewidth=5, zorder=0)
    for row, degrees_of in zip(rows_of, numbers, strict=True):
        for at, degree in zip(row, degrees_of, strict=True):
            ax.plot(*at, "o", color=colours[degree], markersize=26)
    thumbnail(
        fig,
        "A network of three inputs, four hidden units and three outputs. Colours stand "
        "for degrees, and lines to a lower degree are missing.",
    )
