"""Shapes: `theta` is `(batch, dim)`, the context x is `(batch, context)`.

Raises: `RuntimeError` from `sample_inside`, when all of q is outside of the prior.

Source: the atomic proposals of the paper; Gaussian ones are its appendix A.1.
"""

from functools import partial

import torch

from implementations.apt import InferenceTask, apt, atomic_loss, infer, uniform

prior = uniform(-1, 1, 2)
task = InferenceTask(prior, lambda theta: theta + 0.1, torch.zeros(1, 2))
loss = partial(atomic_loss, prior=prior)
rounds = infer(apt(2, 2, context=2), task, loss, rounds=2, n=100, steps=5)
observed = task.observed.expand(50, -1)
assert rounds[-1].sample(50, observed).shape == (50, 2)
