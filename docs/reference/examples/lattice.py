"""Shapes: fields are `(batch, 1, side, side)`; states of chains are
`(n, chains, 1, side, side)`.

Raises: `ValueError`, when `side` is odd.

Source: the flow and the Markov chain of the paper, with the convolutions of its
authors' later tutorial (arXiv 2101.08176)
"""

from implementations.core.weights import reverse_kl
from implementations.lattice import PhiFour, independence_metropolis, lattice

theory, flow = PhiFour(m2=-4.0, lam=6.975), lattice(6, layers=4)
loss = reverse_kl(flow, theory.log_density, 64)  # training minimises this
run = independence_metropolis(flow, theory.log_density, n=100, chains=2)
assert run.states.shape == (100, 2, 1, 6, 6)
assert loss.isfinite() and 0 <= run.accepted <= 1
