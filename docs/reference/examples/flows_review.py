"""Shapes: `x` and `z` of each flow are `(batch, dim)`; none takes a context.

Source: §3 and §4, one of each family
"""

import torch

from implementations.flows_review import flows_review

x = torch.randn(100, 2)
for name, flow in flows_review(2).items():
    log_p = flow.log_prob(x)
    print(f"{name}: {log_p.mean():.2f} nats")
    assert log_p.shape == (100,)
