"""Invertible maps that know their log-determinant, and how to combine them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import wraps
from itertools import pairwise
from numbers import Integral
from typing import Any, cast

import torch
from torch import Tensor, nn

Shape = tuple[int, ...]
# A batch of images under the map, and a log-determinant (or log-slope) for each.
Mapped = tuple[Tensor, Tensor]


class Bijection(nn.Module, ABC):
    """An invertible map z = f(x) between data x and noise z.

    Exactly one batch axis comes first; the event behind it may have any shape.
    `x_shape` and `z_shape` are the event's shapes (the same unless `z_shape` is given);
    `context` is the width of the vectors that steer the map, 0 where it needs none (a
    context that is passed all the same is ignored).

    Raises:
        ValueError: from `forward` and `inverse`, when the input has another shape or
            no floating-point dtype, or when a context is missing or misshapen; also
            when a class returns an image or a log-determinant of a wrong shape.
    """

    # True where training mode, too, does the same at each call: no statistics move.
    steady = True

    def __init__(
        self, x_shape: Shape, z_shape: Shape | None = None, context: int = 0
    ) -> None:
        super().__init__()
        self.x_shape = x_shape
        self.z_shape = x_shape if z_shape is None else z_shape
        self.context = context

    def __init_subclass__(cls, **kwargs: Any) -> None:
        # Checking here means that no flow can forget to, and none has to show it.
        super().__init_subclass__(**kwargs)
        for name, sides in (("forward", "xz"), ("inverse", "zx")):
            if name in vars(cls):
                setattr(cls, name, _checked(vars(cls)[name], *sides))

    @abstractmethod
    def forward(self, x: Tensor, context: Tensor | None = None) -> Mapped:
        """z = f(x) and log|det ∂z/∂x|: normalise, from data to noise.

        The log-determinant has shape (batch,), in nats, summed over the event.
        """

    @abstractmethod
    def inverse(self, z: Tensor, context: Tensor | None = None) -> Mapped:
        """x = f⁻¹(z) and log|det ∂x/∂z|: generate, from noise to data."""

    def initialise(self, x: Tensor, context: Tensor | None = None) -> None:
        """Set what depends on a first batch of data; most maps have nothing to set.

        A map that has something to set is a `DataDependent`, which sets it only once.
        """


class DataDependent(Bijection):
    """A bijection of which a first batch of data sets something, once.

    `initialised` says that it is done, and is saved and copied with the weights. So
    `initialise` changes nothing in a map that is trained further, was loaded or copied,
    whoever calls it; after `map.initialised.fill_(False)` the next batch sets it anew.
    """

    initialised: Tensor

    def __init__(
        self, x_shape: Shape, z_shape: Shape | None = None, context: int = 0
    ) -> None:
        super().__init__(x_shape, z_shape, context)
        self.register_buffer("initialised", torch.tensor(False))

    @torch.no_grad()
    def initialise(self, x: Tensor, context: Tensor | None = None) -> None:
        if not self.initialised:
            check_event(type(self).__name__, "x", x, self.x_shape)
            self.set_from(x, context)
            self.initialised.fill_(True)

    @abstractmethod
    def set_from(self, x: Tensor, context: Tensor | None) -> None:
        """Set what depends on data from this batch."""

    def _load_from_state_dict(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, state_dict: dict[str, Any], prefix: str, *args: Any
    ) -> None:
        # Weights that were saved without the flag are those of a trained flow.
        if any(name.startswith(prefix) for name in state_dict):
            state_dict.setdefault(f"{prefix}initialised", torch.tensor(True))
        super()._load_from_state_dict(state_dict, prefix, *args)


def _checked(
    method: Callable[..., Mapped], side: str, other: str
) -> Callable[..., Mapped]:
    @wraps(method)
    def checked(self: Bijection, x: Tensor, context: Tensor | None = None) -> Mapped:
        name = type(self).__name__
        check_event(name, side, x, getattr(self, f"{side}_shape"))
        n = x.shape[0]
        if self.context:
            check_context(name, context, (n, self.context))
        image, log_det = method(self, x, context)
        _check_returned(name, other, image, (n, *getattr(self, f"{other}_shape")))
        _check_returned(name, "a log-determinant", log_det, (n,))
        return image, log_det

    return checked


def _elementwise(method: Callable[..., Mapped], other: str) -> Callable[..., Mapped]:
    @wraps(method)
    def checked(self: Univariate, x: Tensor, params: Tensor) -> Mapped:
        name = type(self).__name__
        image, log_slope = method(self, x, params)
        _check_returned(name, other, image, x.shape)
        _check_returned(name, "a log-slope", log_slope, x.shape)
        return image, log_slope

    return checked


def _check_returned(name: str, what: str, found: Tensor, shape: Shape) -> None:
    if found.shape != shape:
        raise ValueError(
            f"{name}: expected to return {what} of shape {tuple(shape)}, got "
            f"{tuple(found.shape)} (mend the class)"
        )


def check_event(name: str, side: str, x: Tensor, shape: Shape) -> None:
    """Raise ValueError unless x is a floating-point batch of events of this shape."""
    if x.ndim == 0 or x.shape[1:] != shape:
        wanted = ", ".join(map(str, ("batch", *shape)))
        raise ValueError(
            f"{name}: expected {side} of shape ({wanted}), got {tuple(x.shape)}"
        )
    if not x.is_floating_point():
        raise ValueError(f"{name}: expected floating-point {side}, got {x.dtype}")


def check_count(name: str, n: int) -> None:
    """Raise ValueError unless n is a number of events, 0 or more."""
    if not isinstance(n, Integral | torch.SymInt) or n < 0:
        raise ValueError(f"{name}: expected a number of events, 0 or more, got {n!r}")


def check_context(name: str, context: Tensor | None, shape: Shape) -> None:
    """Raise ValueError unless there is a context of this shape."""
    if context is None or context.shape != shape:
        got = "none" if context is None else tuple(context.shape)
        raise ValueError(f"{name}: expected context of shape {shape}, got {got}")


class Compose(Bijection):
    """f = f_K ∘ … ∘ f_1: the first layer is next to the data; log-dets add up.

    Raises:
        ValueError: when there is no layer, or two neighbours do not fit.
    """

    def __init__(self, *layers: Bijection) -> None:
        if not layers:
            raise ValueError("Compose: expected at least one layer, got none")
        for k, (before, after) in enumerate(pairwise(layers), 2):
            if before.z_shape != after.x_shape:
                raise ValueError(
                    f"Compose: expected layer {k} to take events of shape "
                    f"{before.z_shape}, got one that takes {after.x_shape}"
                )
        context = max(layer.context for layer in layers)
        super().__init__(layers[0].x_shape, layers[-1].z_shape, context)
        # A ModuleList does not tell type checkers what it holds.
        self.layers = cast(Sequence[Bijection], nn.ModuleList(layers))

    def forward(self, x: Tensor, context: Tensor | None = None) -> Mapped:
        log_det = x.new_zeros(x.shape[0])
        for layer in self.layers:
            x, term = layer(x, context)
            log_det = log_det + term
        return x, log_det

    def inverse(self, z: Tensor, context: Tensor | None = None) -> Mapped:
        log_det = z.new_zeros(z.shape[0])
        for layer in reversed(self.layers):
            z, term = layer.inverse(z, context)
            log_det = log_det + term
        return z, log_det

    @torch.no_grad()
    def initialise(self, x: Tensor, context: Tensor | None = None) -> None:
        """Initialise layer after layer, each on what the ones before it make of x.

        Where all is set already, no layer sees x: in training, statistics would move.
        """
        maps = [m for m in self.modules() if isinstance(m, DataDependent)]
        if maps and all(m.initialised for m in maps):
            return
        for layer in self.layers:
            layer.initialise(x, context)
            x, _ = layer(x, context)


class Inverse(Bijection):
    """f⁻¹: what `bijection` does forwards this does backwards, with its weights."""

    def __init__(self, bijection: Bijection) -> None:
        super().__init__(bijection.z_shape, bijection.x_shape, bijection.context)
        self.bijection = bijection

    def forward(self, x: Tensor, context: Tensor | None = None) -> Mapped:
        return self.bijection.inverse(x, context)

    def inverse(self, z: Tensor, context: Tensor | None = None) -> Mapped:
        return self.bijection(z, context)


def by_kind(params: Tensor) -> tuple[Tensor, ...]:
    """(batch, …, n_params) → the parameters of each kind, of shape (batch, …).

    Twice as fast backwards as `unbind(-1)` where a kind lies side by side in memory.
    """
    return params.unbind(1) if params.ndim == 2 else params.movedim(-1, 1).unbind(1)


class Univariate(nn.Module, ABC):
    """An increasing scalar map, steered at each coordinate by `n_params` numbers.

    Conditioners (coupling, autoregressive) apply it to one coordinate at a time.
    `params` has the shape of x and a last axis of `n_params`; log-slopes have the
    shape of x.

    Raises:
        ValueError: when a class returns an image or a log-slope of another shape.
    """

    n_params: int
    # True where parameters of one kind had better lie side by side in memory.
    apart = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name, image in (("forward", "z"), ("inverse", "x")):
            if name in vars(cls):
                setattr(cls, name, _elementwise(vars(cls)[name], image))

    @abstractmethod
    def forward(self, x: Tensor, params: Tensor) -> Mapped:
        """z = g(x; params) and log g'(x)."""

    @abstractmethod
    def inverse(self, z: Tensor, params: Tensor) -> Mapped:
        """x = g⁻¹(z; params) and the log-slope of g⁻¹ at z."""
