"""Shapes: `x` is `(batch, x_dim)`, `y` is `(batch, y_dim)`, and so is `z` with `z_dim`.

Source: section 3.
"""

import torch

from implementations.inn_inverse import inn_inverse, loss_x, loss_y, loss_z

inn = inn_inverse(4, 2)
x, y = torch.randn(100, 4), torch.randn(100, 2)
found = inn(x)
losses = loss_y(found, y) + loss_z(found, y) + loss_x(inn.draw(y)[0], x)
assert losses.shape == ()
assert inn.sample(100, y).shape == (100, 4)
