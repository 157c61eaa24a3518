"""Shapes: Returns a number, in nats; `target` and `flow` have events of one shape.

Raises: `ValueError` from the flow, when its events are no points of the plane.
"""

from implementations.core.toy import Banana, gaussian_gap, kl_to
from implementations.real_nvp import real_nvp_vector

target, flow = Banana(), real_nvp_vector(2)
gap = kl_to(target, flow, n=5000)  # 0 is perfect
assert gap > gaussian_gap(target)  # before training
