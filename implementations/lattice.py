# %% [markdown]
# # Lattice flows: proposals for an exact Markov chain
#
# A field has a number at each site of a lattice. Its density is known up to a constant.
# A Markov chain of small moves draws from it, but each state is much like the one
# before (upper row). Independent fields differ (lower row).
#
# Albergo, Kanwar and Shanahan ([2019](https://arxiv.org/abs/1904.12072)) train a flow
# to draw whole fields, without data. A Metropolis test takes or refuses each. So
# averages are right although the flow is not.
#
# The result: an average that is 40% too low over the flow's draws is right over the
# chain. But if the flow never draws half of all fields, nothing tells.

# %%
"""Flow-based generative models for lattice field theory (Albergo et al., 2019)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from emcee.autocorr import integrated_time
from matplotlib.colors import LinearSegmentedColormap
from torch import Tensor, nn

from implementations.core.bijection import Compose, Inverse
from implementations.core.claims import all_checks, check, claim, table
from implementations.core.diagrams import arrow, cells, diagram, disc, words
from implementations.core.environment import device, seed
from implementations.core.fit import fit
from implementations.core.flow import Flow, StandardNormal
from implementations.core.pictures import show, thumbnail
from implementations.core.plots import BLUE, GREY, ORANGE, figure, square
from implementations.core.samplers import hmc, metropolis
from implementations.core.weights import (
    Estimate,
    LogDensity,
    effective_share,
    log_normaliser,
    reverse_kl,
    weigh,
    weighted_mean,
)
from implementations.real_nvp import Affine, MaskedCoupling, checkerboard

# %% A chain of small moves, and independent fields tags=["plot"]
if __name__ == "__main__":
    seed()

    def _log_p(phi: Tensor) -> Tensor:
        steps = sum((phi - phi.roll(1, k)).square() for k in (2, 3))
        return -(steps - 4 * phi.square() + 5.113 * phi**4).flatten(1).sum(1)

    start = 0.1 * torch.randn(5, 1, 14, 14, device=device())
    fields = hmc(_log_p, start, 150, 0.1, 10).states[-1]
    moves = metropolis(_log_p, fields[:1], 300, 0.04, every=100).states[:, 0]
    ramp = LinearSegmentedColormap.from_list("field", [BLUE, "#80808000", ORANGE])
    fig, axes = figure(columns=4, rows=2, width=6.4, height=3.5)
    rows = torch.cat((fields[:1], moves, fields[1:]))[:, 0].cpu().numpy()
    titles = "a state", "100 moves on", "200", "300", *["independent"] * 4
    for ax, phi, title in zip(axes, rows, titles, strict=True):
        ax.imshow(phi, cmap=ramp, vmin=-1, vmax=1)
        ax.set_title(title)
        ax.axis("off")
    show(
        fig,
        "Two rows of four fields, blue where negative, orange where positive. Above, "
        "the same patches stay in place through 300 small moves. Below, four "
        "independent fields have patches in other places.",
    )

# %% [markdown]
# ## The idea in one picture

# %% A coupling on a lattice, and a chain of proposals tags=["plot"]
if __name__ == "__main__":
    fig, axes = diagram(columns=2, width=3.4, height=2.3)
    ax, side = axes[0], 0.26
    boards = [[[(i + j + k) % 2 for j in range(4)] for i in range(4)] for k in (0, 1)]
    left = cells(ax, (0.25, 0.75), boards[0], side)
    right = cells(ax, (2.1, 0.75), boards[1], side)
    arrow(ax, left, right, "in turn")
    words(ax, (1.7, 2.1), "couplings, from noise to a field")
    words(ax, (1.7, 0.4), "blue sites stay, and move orange ones")
    ax, chain = axes[1], (1, 1, 3, 3, 3, 6)
    words(ax, (1.7, 2.1), "proposals, from the flow")
    words(ax, (1.7, 0.25), "the chain")
    for k, place in enumerate(chain, 1):
        x, taken = 0.5 * k - 0.05, place == k
        above = disc(ax, (x, 1.65), f"{k}", BLUE if taken else GREY)
        below = disc(ax, (x, 0.75), f"{place}", BLUE if taken else ORANGE)
        if taken:
            arrow(ax, above, below)
        else:
            words(ax, (x, 1.2), "×")
    show(
        fig,
        "Left, two checkerboards: sites that stay in one coupling move in the next. "
        "Right, six proposals in a row. The chain takes the first, third and sixth. "
        "Where one is refused, the chain repeats its state: 1, 1, 3, 3, 3, 6.",
    )

# %% [markdown]
# ## Symbols and direction
#
# | Symbol | In code | Meaning |
# | :-- | :-- | :-- |
# | $\varphi$, $S$ | `phi`, `action` | a field, of shape (1, L, L), and its action |
# | $q$, $w$ | `flow`, `log_w` | the flow's density; $w = e^{-S}/q$ |
# | $M$, $\chi$ | `susceptibility` | a field's mean; $\chi = L^2\langle M^2\rangle$ |
# | $\tau$ | `autocorrelation_time` | how many states are worth one independent one |
#
# `forward` of a coupling goes from noise to the field, as in the paper. A `Flow` of
# this project goes from data to noise. So it is the `Inverse` of the couplings.
#
# ## The field
#
# The density is $p = e^{-S}/Z$. The sites are those of a torus, so each has four
# neighbours. With $\mu$ for the two directions,
# $$S = \sum_x \Big[\sum_\mu (\varphi_{x+\mu} - \varphi_x)^2 + m^2 \varphi_x^2
# + \lambda \varphi_x^4\Big]$$
# Other texts have factors of ½ and 4!, so their $m^2$ and $\lambda$ are other numbers.


# %%
class PhiFour(NamedTuple):
    """φ⁴ theory on a torus; fields are of shape (…, 1, L, L)."""

    m2: float
    lam: float

    def action(self, phi: Tensor) -> Tensor:
        """S, of shape (…)."""
        steps = sum((phi.roll(-1, mu) - phi).square() for mu in (-2, -1))
        local = self.m2 * phi.square() + self.lam * phi**4
        return (steps + local).sum((-3, -2, -1))

    def log_density(self, phi: Tensor) -> Tensor:
        """log p + log Z = -S, of shape (…)."""
        return -self.action(phi)


def mean_square(phi: Tensor) -> Tensor:
    """The mean of φ² over the sites, of shape (…)."""
    return phi.square().mean((-3, -2, -1))


def susceptibility(phi: Tensor) -> Tensor:
    """L² M², whose mean over fields is χ, as ⟨M⟩ = 0 by symmetry; of shape (…)."""
    return phi.shape[-1] ** 2 * phi.mean((-3, -2, -1)).square()


# %% [markdown]
# For $\lambda = 0$ the field is Gaussian, and its Fourier modes are independent. All is
# known. With $\hat k^2 = \sum_\mu 2(1 - \cos k_\mu)$ for the $L^2$ modes $k$,
# $$\langle|\tilde\varphi_k|^2\rangle = \frac{1}{2(m^2 + \hat k^2)},\qquad
# \log Z = \frac12 \sum_k \log\frac{\pi}{m^2 + \hat k^2}$$
# The mean of the first is $\langle\varphi^2\rangle$, and at $k = 0$ it is $\chi$.


# %%
def free_field(side: int, m2: float) -> tuple[float, float, float]:
    """⟨φ²⟩, χ and log Z of the theory with λ = 0 and m² > 0, on side × side sites."""
    one = 2 - 2 * (2 * math.pi / side * torch.arange(side).double()).cos()
    curvature = m2 + one + one[:, None]
    log_z = (math.pi / curvature).log().sum().item() / 2
    return (0.5 / curvature).mean().item(), 0.5 / m2, log_z


# %% [markdown]
# ## The flow
#
# It is a [Real NVP](real_nvp.ipynb) with checkerboard masks. Half of the sites stay,
# and give $s$ and $t$ for the other half:
# $$\varphi_a = z_a,\qquad \varphi_b = e^{s(z_a)} \odot z_b + t(z_a)$$
# The paper's networks are dense. We take convolutions, as the authors' later
# [tutorial](https://arxiv.org/abs/2101.08176) does. They treat all sites alike, and
# their edges are *circular*, as the lattice is.


# %%
def circular(hidden: Sequence[int]) -> nn.Sequential:
    """Build s and t, which start at 0: 3×3 convolutions from one channel to two."""
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise((1, *hidden, 2)):
        conv = nn.Conv2d(n_in, n_out, 3, padding=1, padding_mode="circular")
        layers += [conv, nn.LeakyReLU()]
    for numbers in layers[-2].parameters():
        nn.init.zeros_(numbers)
    return nn.Sequential(*layers[:-1])


def lattice(side: int, layers: int = 8, hidden: Sequence[int] = (8, 8)) -> Flow:
    """Build a flow of fields of shape (1, side, side), with `layers` couplings.

    `real_nvp.with_dense_networks` makes its networks dense, as the paper's are.

    Raises:
        ValueError: when `side` is odd: such a torus has no checkerboard.
    """
    if side % 2:
        raise ValueError(f"lattice: expected an even side, got {side}")
    odd = checkerboard((1, side, side))
    masks = (odd if k % 2 else ~odd for k in range(layers))
    chain = (MaskedCoupling(mask, Affine(), circular(hidden)) for mask in masks)
    return Flow(StandardNormal((1, side, side)), Inverse(Compose(*chain)))


# %% [markdown]
# Training needs no data. It minimises the reverse KL, up to the constant $\log Z$:
# $$\mathrm{E}_{\varphi\sim q}[\log q(\varphi) + S(\varphi)]
# = \mathrm{KL}(q \Vert p) - \log Z$$
# Its negative is a lower bound of $\log Z$. Gradients go through the samples.


# %%
def learn_theory(flow: Flow, theory: PhiFour, steps: int) -> Flow:
    """Minimise KL(q ‖ p) - log Z, on 64 fields a step; return the flow."""
    fit(flow, lambda: reverse_kl(flow, theory.log_density, 64), steps, lr=1e-2, clip=10)
    return flow


# %% [markdown]
# ## The chain
#
# From the state $\varphi$, the flow's proposal $\varphi'$ is taken with probability
# $$A(\varphi \to \varphi') = \min\Big(1,\ \frac{w(\varphi')}{w(\varphi)}\Big)$$
# This is *independence Metropolis*. It keeps $p$, for any $q$ that is nowhere 0, and
# $Z$ cancels. Two details are easy to get wrong. The test compares with the *current
# state*, not with the last proposal. After a refusal, that state counts once more. The
# weights alone decide where the chain goes. So we draw all proposals first, and walk.


# %%
def walk(log_w: Tensor) -> Tensor:
    """The proposal at which each chain stands after each step, of shape (n, chains).

    log_w is of shape (n + 1, chains); chains begin at its first row. Proposals whose
    weight is not finite are never taken.
    """
    log_w = torch.where(log_w.isfinite(), log_w, -math.inf).cpu()
    log_u = torch.rand_like(log_w).log()
    current, at, rows = log_w[0], torch.zeros(log_w.shape[1], dtype=torch.long), []
    for step in range(1, log_w.shape[0]):
        take = log_w[step] - current > log_u[step]
        current = torch.where(take, log_w[step], current)
        at = torch.where(take, step, at)
        rows.append(at)
    return torch.stack(rows)


class Walked(NamedTuple):
    """Chains side by side: `states`, (n, chains, …), and the share of steps taken.

    `proposals`, (n + 1, chains, …), have weights `log_w`, (n + 1, chains), in float64.
    `at`, (n, chains), says which proposal each state is.
    """

    states: Tensor
    accepted: float
    proposals: Tensor
    log_w: Tensor
    at: Tensor


@torch.no_grad()
def independence_metropolis(
    flow: Flow,
    log_density: LogDensity,
    n: int,
    chains: int = 1,
    start: Tensor | None = None,
) -> Walked:
    """Metropolis with the flow's draws as proposals, n steps for each chain.

    They begin at `start`, of shape (chains, …), if given. Its log q is that of this
    flow, which may have learned since the chains came there. Else they begin at one
    more draw each; drop the first states then.
    """
    drawn = weigh(flow, log_density, (n + (start is None)) * chains)
    x, log_w = (each.unflatten(0, (-1, chains)) for each in drawn)
    if start is not None:
        first = log_density(start).double() - flow.log_prob(start).double()
        x, log_w = torch.cat((start[None], x)), torch.cat((first[None], log_w))
    at = walk(log_w)
    states = x[at.to(x.device), torch.arange(chains, device=x.device)]
    taken = at == torch.arange(1, n + 1)[:, None]
    return Walked(states, taken.double().mean().item(), x, log_w, at)


# %% [markdown]
# Let $\rho(t)$ be the correlation of states that are $t$ steps apart. Then $n$ states
# are worth $n / \tau$ independent ones, with
# $$\tau = 1 + 2 \sum_{t \ge 1} \rho(t)$$
# We leave it to `emcee`, which ends the sum at $5\tau$: the rest is noise. Physicists
# often take half of it, $\tau_\mathrm{int} = \tau / 2$.


# %%
def autocorrelation_time(values: Tensor) -> float:
    """τ = 1 + 2 Σ ρ(t) of values of shape (n, chains); infinite if one never moves."""
    with np.errstate(invalid="ignore"):
        tau = float(integrated_time(values.cpu().numpy(), tol=0)[0])
    return math.inf if math.isnan(tau) else tau


def chain_mean(values: Tensor) -> Estimate:
    """The mean of values of shape (n, chains), with its error σ √(τ / number)."""
    tau = autocorrelation_time(values)
    error = values.std().item() * math.sqrt(tau / values.numel())
    return Estimate(values.mean().item(), error)


# %% [markdown]
# ## First where all is known
#
# Take the Gaussian theory and 60 steps of training. Which gives the truth: the flow's
# draws, the same draws with weights, or the chain?


# %%
OBSERVABLES = (mean_square, susceptibility)


class ChainReport(NamedTuple):
    """A flow's draws and its chain; ⟨φ²⟩ and χ by the draws alone, and by the chain."""

    walked: Walked
    share: float
    tau: float
    longest_stay: int
    by_draws: list[float]
    by_chain: list[Estimate]


def judge(flow: Flow, theory: PhiFour, n: int = 4000, chains: int = 8) -> ChainReport:
    """Walk, drop the first tenth of the states, and judge the rest."""
    run = independence_metropolis(flow, theory.log_density, n, chains)
    run = run._replace(states=run.states[n // 10 :], at=run.at[n // 10 :])
    return ChainReport(
        run,
        effective_share(run.log_w.flatten()),
        autocorrelation_time(susceptibility(run.states)),
        max(int(column.bincount().max()) for column in run.at.T),
        [each(run.proposals).mean().item() for each in OBSERVABLES],
        [chain_mean(each(run.states)) for each in OBSERVABLES],
    )


def shown(*numbers: Estimate | float) -> list[str]:
    """Numbers, with their errors where they have one, for a table."""
    pairs = (n if isinstance(n, Estimate) else (n, None) for n in numbers)
    return [f"{n:.3f}" + (f" ± {e:.3f}" if e else "") for n, e in pairs]


# %%
if __name__ == "__main__":
    seed()
    gaussian, exact = PhiFour(1.0, 0.0), free_field(6, 1.0)
    flow = learn_theory(lattice(6, hidden=(8,)).to(device()), gaussian, 60)
    free = judge(flow, gaussian)
    drawn, log_w = free.walked.proposals.flatten(0, 1), free.walked.log_w.flatten()
    weighted = [weighted_mean(each(drawn), log_w) for each in OBSERVABLES]
    log_z = log_normaliser(log_w)
    rows = [
        ("exact", *shown(*exact)),
        ("the flow's draws", *shown(*free.by_draws), ""),
        ("draws with weights", *shown(*weighted, log_z)),
        ("the chain", *shown(*free.by_chain), ""),
    ]
    table(("Gaussian theory", "⟨φ²⟩", "χ", "log Z"), rows)
    print(f"accepted: {free.walked.accepted:.2f}; effective share: {free.share:.2f}")
    low, ratio = (v / exact[1] for v in (free.by_draws[1], free.by_chain[1].value))
    check("Gaussian: χ by draws, over the exact", low, below=0.75)
    check("Gaussian: χ by the chain, over the exact", ratio, above=0.85, below=1.15)
    miss, slack = log_z.value - exact[2], exact[2] - log_w.mean().item()
    check("Gaussian: log Z by weights, less the exact", miss, above=-0.1, below=0.1)
    check("Gaussian: log Z, less the bound of training", slack, above=0)

# %% [markdown]
# Weights do, and so does the chain. In the flow's draws, $M$ varies too little.
#
# ## φ⁴, with more and more training
#
# Now the smallest lattice of the paper: $L = 6$, $m^2 = -4$, $\lambda = 6.975$. The
# independent sampler is Hamiltonian Monte Carlo (HMC): 64 chains, 10 leaps a step.

# %%
if __name__ == "__main__":
    seed()
    theory, judged = PhiFour(-4.0, 6.975), dict[int, ChainReport]()
    start = 0.3 * torch.randn(64, 1, 6, 6, device=device())
    reference = hmc(theory.log_density, start, 600, 0.1, 10).states[100:]
    by_hmc = [chain_mean(each(reference)) for each in OBSERVABLES]
    tau_hmc = autocorrelation_time(susceptibility(reference))
    for steps in (50, 200, 800):
        flow = lattice(6, layers=12, hidden=(8,)).to(device())
        judged[steps] = judge(learn_theory(flow, theory, steps), theory)
    rows = [
        [f"{k}", *shown(j.walked.accepted, j.share, j.tau), f"{j.longest_stay}"]
        for k, j in judged.items()
    ]
    names = "steps", "accepted", "effective share", "τ of M²", "longest stay"
    table(names, [*rows, ["HMC", "", "", *shown(tau_hmc), ""]])
    rows = [
        [f"{k}", *shown(j.by_draws[0], j.by_chain[0], j.by_draws[1], j.by_chain[1])]
        for k, j in judged.items()
    ]
    names = "steps", "⟨φ²⟩ by draws", "by the chain", "χ by draws", "by the chain"
    table(names, [*rows, ["HMC", "", *shown(by_hmc[0]), "", *shown(by_hmc[1])]])

# %% The mean of a field along a chain tags=["plot"]
if __name__ == "__main__":
    fig, axes = figure(columns=4, width=7.6, height=2.1)
    paths = {f"{k} steps": j.walked.states for k, j in judged.items()}
    paths["HMC"] = reference
    for ax, (title, path) in zip(axes, paths.items(), strict=True):
        ax.plot(susceptibility(path[:400, 0]).cpu(), color=BLUE, lw=0.9)
        ax.set(title=f"$L^2 M^2$, {title}", ylim=(0, 9), xlabel="state")
    show(
        fig,
        "L² M² along 400 states. The chains of all three flows have level stretches, "
        "of up to some 100 states. HMC moves at nearly every state.",
    )

# %% [markdown]
# The more training, the fewer repeated states. HMC needs no training, and has the
# smallest $\tau$. On so small a lattice there is no race to win. The paper's case is
# the large, critical one, where HMC slows down.
#
# ## What acceptance and effective share hide
#
# First, a long tail. Where $q$ is too small, $w$ is huge. On average, a state of weight
# $w$ stays for $w / \bar w$ steps or more, where $\bar w$ is the mean weight: see the
# longest stays. Until the chain meets such states, it looks better than it is, and so
# does its error. After 50 steps of training, $\chi$ may lie several errors too low: the
# chain is exact in the end, and a poor flow puts the end far off.
#
# Second, what is never drawn. With $\lambda = 2$, neighbours agree on a sign: $M$ is
# near 0.9 or -0.9, by symmetry equally often. We train on 4×4 sites.

# %%
if __name__ == "__main__":
    seed()
    wells = PhiFour(-4.0, 2.0)
    flow = learn_theory(lattice(4, hidden=(8,)).to(device()), wells, 150)
    one = judge(flow, wells)
    # The same draws, each with a sign by chance: q̃(φ) = ½ q(φ) + ½ q(-φ).
    drawn, log_w = one.walked.proposals, one.walked.log_w
    signs = 2.0 * torch.randint(2, (*drawn.shape[:2], 1, 1, 1), device=device()) - 1
    with torch.no_grad():
        log_q = [flow.log_prob(s * drawn.flatten(0, 1)).double() for s in (1, -1)]
    log_q = torch.logaddexp(*log_q).view_as(log_w) - math.log(2)
    both_w = wells.log_density(drawn).double() - log_q
    at = walk(both_w)[400:].to(device())
    both = (signs * drawn)[at, torch.arange(8, device=device())]
    hmc_path = hmc(wells.log_density, drawn[:8].flatten(0, 1), 400, 0.1, 10).states
    means = (f.mean((2, 3, 4)) for f in (one.walked.states, both, hmc_path))
    up, both_up, hmc_up = ((mean > 0).double().mean().item() for mean in means)
    z, both_z = (log_normaliser(w.flatten()) for w in (log_w, both_w))
    both_share = effective_share(both_w.flatten())
    rows = [
        ("the flow's", *shown(one.share, up, z)),
        ("with signs by chance", *shown(both_share, both_up, both_z)),
        ("HMC from such fields", "", *shown(hmc_up), ""),
    ]
    table(("proposals", "effective share", "states with M > 0", "log Z"), rows)

# %% [markdown]
# Reverse KL took one sign, and no weight tells. The effective share is the same for one
# sign and for both. $\log Z$ lacks $\log 2$, which only the second row shows. The chain
# is exact in principle, but the flow hardly ever draws the other sign. HMC crosses no
# better. What helps is a symmetry that one knows: give proposals a sign by chance, and
# take for $q$ the mean over both signs.
#
# ## What the paper claims, and what holds
#
# The paper claims that training lowers autocorrelation times, without data. On its
# smallest lattice, this holds here, and averages agree with HMC.

# %%
if __name__ == "__main__":
    first, last = judged[50], judged[800]
    claim(
        "Training for 800 steps in place of 50 makes τ {} times shorter",
        first.tau / last.tau,
        above=2,
    )
    claim(
        "The susceptibility by the chain is {} times that by HMC",
        last.by_chain[1].value / by_hmc[1].value,
        above=0.9,
        below=1.1,
    )
    claim(
        "A flow that lacks half of all fields has {} times the effective share of the "
        "same flow with both signs",
        one.share / both_share,
        above=0.95,
        below=1.05,
    )
    check("one sign: share of the rarer sign", min(up, 1 - up), below=0.02)
    gain = both_z.value - z.value - math.log(2)
    check("log Z gained by both signs, less log 2", gain, above=-0.1, below=0.1)
    check("one sign: the same for HMC", min(hmc_up, 1 - hmc_up), below=0.02)
    rise = last.walked.accepted / first.walked.accepted
    check("acceptance after 800 steps, over that after 50", rise, above=2.5)
    check("acceptance after 800 steps", last.walked.accepted, above=0.45)
    low = last.by_draws[1] / by_hmc[1].value
    check("χ by draws after 800 steps, over that by HMC", low, below=0.75)
    for steps, j in judged.items():
        ratio, text = j.by_chain[0].value / by_hmc[0].value, f"⟨φ²⟩, {steps} steps"
        check(f"{text}: by the chain, over HMC", ratio, above=0.88, below=1.12)
    all_checks("lattice")

# %% [markdown]
# Reported and obtained:
#
# | | The paper | Here | Why |
# | :-- | :-- | :-- | :-- |
# | training against $\tau$ | lowers it | does | same |
# | averages against HMC | agree | agree, if well trained | long tails |
# | HMC at criticality | slows down | not tried | needs large lattices |
# | lattices | several, up to $L = 14$ | $L = 6$ and 4 | a minute |
# | networks | dense | circular 3×3 convolutions | all sites are alike |
#
# ## Three things to remember
#
# 1. Flow proposals and a Metropolis test give exact averages from an inexact flow.
# 2. Repeated states are the price. Weights alone decide which, and for how long.
# 3. Weights say nothing of what the flow never draws.
#
# ## Three to try
#
# Predict, then change the line and run.
#
# **1. The last proposal.** Compare with the proposal before, taken or not. Is the
# average of the chain still right?
#
# ```diff
# - current = torch.where(take, log_w[step], current)
# + current = log_w[step]
# ```
#
# <details><summary>Answer</summary>
#
# No. After a bad proposal, any other is taken. So good states are left too soon, and
# the average is closer to that of the flow's draws.
#
# </details>
#
# **2. A wall.** Let convolutions see zeros beyond the edges. Which symmetry of the
# theory does the flow lose?
#
# ```diff
# - conv = nn.Conv2d(n_in, n_out, 3, padding=1, padding_mode="circular")
# + conv = nn.Conv2d(n_in, n_out, 3, padding=1, padding_mode="zeros")
# ```
#
# <details><summary>Answer</summary>
#
# Shifts. With circular edges, $q$ is the same after a shift by two sites. (A shift by
# one site swaps the colours of the checkerboard.) With zeros, edges are special.
#
# </details>
#
# **3. A constant.** Add 100 to the log-density. Which of all numbers change?
#
# ```diff
# - return -self.action(phi)
# + return 100 - self.action(phi)
# ```
#
# <details><summary>Answer</summary>
#
# $\log Z$ alone, and the bound on it, by 100. The chain sees differences only.
#
# </details>
#
# ## What to read next
#
# - [Real NVP](real_nvp.ipynb) introduced these couplings, for images.
# - [Planar flows](vi_flows.ipynb) learn by reverse KL too, as a posterior.
# - The authors' [tutorial](https://arxiv.org/abs/2101.08176) goes on to gauge fields.

# %% tags=["plot", "thumbnail"]
if __name__ == "__main__":
    fig, ax = square()
    j, i = torch.arange(6).repeat(6), torch.arange(6).repeat_interleave(6)
    phi = fields[0, 0, :6, :6].flatten().cpu()
    ax.scatter(j, i, 900 * phi.abs(), [ORANGE if v > 0 else BLUE for v in phi])
    ax.hlines(range(6), -0.6, 5.6, GREY, lw=1.2, zorder=0)
    ax.vlines(range(6), -0.6, 5.6, GREY, lw=1.2, zorder=0)
    thumbnail(fig, "Six by six sites, each with an orange or blue disc of some size.")
