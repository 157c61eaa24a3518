"""Shapes: fields are `(batch, sites)`; the base says how many sites there are.

Raises: `ValueError`, when the base has more than one axis.

Source: the flow of the authors' code for the field of the paper, with the couplings
of Real NVP
"""

from implementations.adaptive_mcmc import (
    AllenCahn,
    InformedBase,
    Walkers,
    adapt,
    adaptive_mcmc,
    frozen,
)

field = AllenCahn(sites=8)
flow = adaptive_mcmc(InformedBase(field), layers=4, hidden=(16, 16))
walkers = Walkers(flow, field.log_density, flow.sample(20), step=0.1)
adapt(walkers, iterations=5)  # jumps, local moves, and a step of Adam each time
assert frozen(walkers, 3).shape == (3, 20, 8)
assert 0 <= walkers.accepted[-1] <= 1
