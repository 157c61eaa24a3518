"""Shapes: `x` and `z` are `(batch, channels, height, width)`.

Raises: `ValueError` from both directions, as every `Bijection`.

Source: §3.3, Table 1
"""

from functools import partial

import torch

from implementations.glow import ChannelCoupling, network
from implementations.real_nvp import Affine

conditioner = partial(network, width=16)
layer = ChannelCoupling((4, 2, 2), Affine(), conditioner)
x = torch.randn(10, 4, 2, 2)
z, _ = layer(x)
assert torch.equal(z[:, 2:], x[:, 2:])
