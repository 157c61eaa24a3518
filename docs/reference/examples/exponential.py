"""Shapes: `x` and `z` are unit vectors, `(batch, dim + 1)`.

Source: the exponential-map flows, whose potential is a sum of radial functions
"""

from implementations.tori_spheres import exponential

q = exponential(3, layers=2, centres=4)  # on S³
x, log_q = q.rsample_and_log_prob(100)
assert q.log_prob(x).allclose(log_q, atol=1e-4)  # back by Newton's method
