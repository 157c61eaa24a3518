"""Shapes: `x` and `z` have the shape of `mask` behind the batch; the network returns
`n_params` as many channels as it gets.

Raises: `ValueError` from both directions, as every `Bijection`.

Source: §3.4
"""

import torch

from implementations.real_nvp import (
    Affine,
    MaskedCoupling,
    checkerboard,
    resnet,
)

mask = checkerboard((1, 4, 4))
m = resnet(n_in=1, n_out=2, maps=8, blocks=1)
layer = MaskedCoupling(mask, Affine(), m).eval()
x = torch.randn(10, 1, 4, 4)
z, _ = layer(x)
assert torch.equal(z[:, mask], x[:, mask])
