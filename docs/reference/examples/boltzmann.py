"""Shapes: `x` is `(n, dim)`; energies, log-densities and weights are `(n,)`.

Source: the losses by example and by energy, and the weights, of the preprint; the flow
is the one that its code uses for the double well
"""

import torch

from implementations.boltzmann import boltzmann, double_well, free_energy, tame

flow = boltzmann(2, blocks=2, hidden=(16, 16))
x, log_q = flow.rsample_and_log_prob(1000)
by_energy = (tame(double_well(x)) + log_q).mean()  # KL(q ‖ μ) - log Z
by_example = -flow.log_prob(torch.tensor([[-1.8, 0.0], [1.8, 0.0]])).mean()
(by_example + by_energy).backward()
log_w = (-double_well(x) - log_q).detach()  # the energy as it is, not tamed
left, right = x[:, 0] < 0, x[:, 0] > 0
difference = free_energy(right, left, log_w)
assert by_energy > -11.03 and abs(difference.value - 3.38) < 5 * difference.error
