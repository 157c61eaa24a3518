"""Shapes: As `sizes` says: images `(batch, channels, height, width)` in, `(batch,
n_out)` out. Weights are drawn anew at each call. `kl(net)` is `(1,)`, in nats.

Raises: `RuntimeError` from the network, when images are of another shape than `sizes`
has.

Source: equations 4 to 12, algorithms 1 and 2
"""

import torch

from implementations.core.doubt import LeNet
from implementations.mnf import kl, mnf

sizes = LeNet((1, 8, 8), 10, maps=(4,), size=3, hidden=(16,))
net = mnf(sizes)
logits = net(torch.rand(32, 1, 8, 8))
assert logits.shape == (32, 10)
assert kl(net).isfinite().all()  # a bound on KL(q ‖ prior)
