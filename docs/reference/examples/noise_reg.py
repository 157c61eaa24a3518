"""Shapes: `x` and `y` are `(n, columns)`; y is the flow's data, x its context.

Source: the section "Noise Regularization" of the paper; the flow is the one of its
experiments.
"""

import torch

from implementations.noise_reg import noise_reg, noisy, rule_of_thumb

x = torch.randn(100, 2)
y = x.sum(1, keepdim=True) + torch.randn(100, 1)
flow = noise_reg(1, context=2)
flow.initialise(y, x)  # without noise
h = rule_of_thumb(100, dim=3)
loss = -flow.log_prob(noisy(y, h), noisy(x, h)).mean()  # with fresh noise, each step
assert flow.log_prob(y, x).shape == (100,) and 0.5 < h < 0.53
assert flow.sample(100, x).shape == (100, 1) and loss.isfinite()
