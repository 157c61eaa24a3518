"""The promises of every flow to torch's own tools, in users' hands.

The text of each says what the promise means, and is shown to whoever breaks it.
"""

from __future__ import annotations

import copy
import io
import pickle
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.func import jacrev, jvp, vmap
from torch.nn.utils import parameters_to_vector, vector_to_parameters
from torch.optim.swa_utils import AveragedModel

from implementations.core.flow import Flow
from implementations.core.roots import REACH, find_root
from implementations.registrations import Case, neural_ode
from tests.flows.cases import BATCH, CASES, batch, noise, perturbed, start
from tests.flows.promises import DTYPES, cast, close, tolerance
from tests.flows.two_processes import train_all

# A device that is not here is not measured; no test passes or is skipped in its name.
DEVICES = ["cpu"] + ["cuda"] * torch.cuda.is_available()


@pytest.fixture
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for a root, and solve an equation, in 2 steps, not in 32 or 6.

    A tool traces each of them, and they are all alike: 32 would take a minute a flow.
    """
    monkeypatch.setattr(find_root, "__defaults__", (-REACH, REACH, 2))
    monkeypatch.setattr(neural_ode, "STEPS", 2)


def saved(value: object) -> Any:
    file = io.BytesIO()
    torch.save(value, file)
    file.seek(0)
    return torch.load(file, weights_only=isinstance(value, dict))


def test_weights_survive_saving(case: Case, flow: Flow) -> None:
    """A flow that loads the weights of another has its density."""
    x, context = batch(flow)
    other = perturbed(case, seed=5)
    before = other.log_prob(x, context)
    assert not torch.equal(before, flow.log_prob(x, context)), "no weight matters"
    other.load_state_dict(saved(flow.state_dict()))
    close(other.log_prob(x, context), flow.log_prob(x, context), 0)


def test_copies_are_whole_and_independent(flow: Flow) -> None:
    """Copied, pickled or saved whole, a flow keeps its density, and shares nothing."""
    x, context = batch(flow)
    before = flow.log_prob(x, context)
    for other in (copy.deepcopy(flow), pickle.loads(pickle.dumps(flow)), saved(flow)):
        close(other.log_prob(x, context), before, 0)
        with torch.no_grad():
            for parameter in other.parameters():
                parameter.add_(1.0)
        close(flow.log_prob(x, context), before, 0)


def test_tensors_are_contiguous_and_their_own(case: Case) -> None:
    """Weights and buffers fill memory of their own, so that tools may overwrite it."""
    flow = start(case)
    owners: dict[int, str] = {}
    for name, tensor in (*flow.named_parameters(), *flow.named_buffers()):
        memory = tensor.untyped_storage()
        assert tensor.is_contiguous() and memory.nbytes() == tensor.nbytes, name
        owner = owners.setdefault(memory.data_ptr(), name) if tensor.numel() else name
        assert owner == name, f"{name} shares the memory of {owner}"


def test_weights_are_averaged_and_flattened(case: Case) -> None:
    """Averaging, LBFGS and turning weights into one vector work as on any model."""
    flow, x, context = cast(start(case), torch.float32)
    flow.to(x.device)
    average = AveragedModel(flow)
    for _ in range(2):
        average.update_parameters(flow)
    expected = flow.log_prob(x, context)
    close(average(x, context), expected, case.float32)
    optimiser = torch.optim.LBFGS(flow.parameters(), lr=1e-3, max_iter=2)
    weights = parameters_to_vector(flow.parameters()).detach().clone()

    def loss() -> Tensor:
        optimiser.zero_grad()
        value = -flow(x, context).mean()
        value.backward()
        return value

    optimiser.step(loss)
    vector_to_parameters(weights, flow.parameters())
    # Convolutions round by where in memory weights start: inside a vector, anywhere.
    close(copy.deepcopy(flow).log_prob(x, context), expected, 0)


def test_can_be_built_on_meta(case: Case, flow: Flow) -> None:
    """Built on the device meta, without memory, a flow is whole once it is loaded."""
    x, context = batch(flow)
    expected = flow.log_prob(x, context)
    with torch.device("meta"):
        assigned = start(case).double()
        filled = copy.deepcopy(assigned)
    assigned.load_state_dict(flow.state_dict(), assign=True)
    filled.to_empty(device="cpu").load_state_dict(flow.state_dict())
    for other in (assigned, filled):
        for name, tensor in (*other.named_parameters(), *other.named_buffers()):
            assert not tensor.is_meta, f"{name} is not in the state_dict"
        close(other.log_prob(x, context), expected, 0)
        drawn = other.sample(BATCH, context)
        assert drawn.dtype == x.dtype and drawn.device == x.device


# What torch imports to differentiate forwards warns of itself.
@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")
@pytest.mark.sampled
def test_forward_mode_derivatives(case: Case, flow: Flow) -> None:
    """Under no_grad too, forward-mode derivatives are those of the backward pass."""
    x, context = batch(flow)
    z = noise(flow)
    for f, at in ((flow.bijection, x), (flow.bijection.inverse, z)):
        tangent, followed = torch.randn_like(at), at.clone().requires_grad_()
        images = f(followed, context)
        weights = [torch.randn_like(image) for image in images]
        value = sum((w * y).sum() for w, y in zip(weights, images, strict=True))
        assert isinstance(value, Tensor)
        (gradient,) = torch.autograd.grad(value, followed)
        expected = (gradient * tangent).sum()
        with torch.no_grad(), forward_ad.dual_level():
            duals = f(forward_ad.make_dual(at, tangent), context)
            found = [forward_ad.unpack_dual(dual).tangent for dual in duals]
        with torch.no_grad():
            by_func = jvp(lambda at, f=f: f(at, context), (at,), (tangent,))[1]
        for pushed in (found, by_func):
            # A volume that never changes has no tangent.
            pairs = [
                (w, t) for w, t in zip(weights, pushed, strict=True) if t is not None
            ]
            total = torch.stack([(w * t).sum() for w, t in pairs]).sum()
            close(total, expected, 100 * case.float64)


@pytest.mark.sampled
@pytest.mark.usefixtures("few_steps")
def test_exports_with_an_open_batch(case: Case, flow: Flow) -> None:
    """torch.export takes the density for batches of any size.

    Write x.shape[0], not len(x), which export takes for a constant.
    """
    inputs = [given for given in batch(flow) if given is not None]
    open_batch = {0: torch.export.Dim("batch")}
    shapes = tuple(open_batch for _ in inputs)
    program = torch.export.export(flow, tuple(inputs), dynamic_shapes=shapes).module()
    for n in (BATCH, 3):
        x, context = batch(flow, n, seed=4)
        given = (x,) if context is None else (x, context)
        close(program(*given), flow.log_prob(x, context), case.float64)


@pytest.fixture(scope="session")
def trained(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> list[dict[str, str]]:
    """The faults that two processes found, of all cases that this run asks for."""
    name = test_two_processes_train_as_one.__name__
    asked = [
        item.callspec.params["case"]
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.originalname == name
    ]
    names = [name for name, case in CASES.items() if case in asked]
    return train_all(names, tmp_path_factory.mktemp("processes"))


@pytest.mark.sampled
def test_two_processes_train_as_one(case: Case, trained: list[dict[str, str]]) -> None:
    """DistributedDataParallel on two halves of a batch trains as one process on all.

    That is so in evaluation mode, where statistics of batches stay as they are; with
    those of each half for itself, both processes still end with the same weights.
    """
    (name,) = (n for n, other in CASES.items() if other is case)
    wrong = [found.get(name, "the case was not reached") for found in trained]
    if any(wrong):
        pytest.fail(f"the first: {wrong[0] or 'nothing'}; the second: {wrong[1]}")


@pytest.mark.parametrize("dtype", DTYPES)
def test_keeps_its_dtype(case: Case, flow: Flow, dtype: torch.dtype) -> None:
    """Densities and samples have the dtype of the weights."""
    x, context = batch(flow)
    expected = flow.log_prob(x, context)
    flow, x, context = cast(flow, dtype)
    log_prob = flow.log_prob(x, context)
    assert log_prob.dtype == dtype
    assert flow.sample(BATCH, context).dtype == dtype
    close(log_prob.double(), expected, tolerance(case, dtype))


@pytest.mark.parametrize("device", DEVICES)
def test_runs_on(case: Case, flow: Flow, device: str) -> None:
    """The flow gives the same on every device that is here."""
    x, context = batch(flow)
    expected = flow.log_prob(x, context)
    context = None if context is None else context.to(device)
    moved = flow.to(device)
    close(moved.log_prob(x.to(device), context).cpu(), expected, case.float64)
    assert moved.sample(BATCH, context).device.type == device


@pytest.mark.usefixtures("few_steps")
def test_never_looks_at_values(flow: Flow) -> None:
    """Shapes alone, on the device meta, are enough to run the flow.

    Write torch.where in the place of an `if` on values of a tensor.
    """
    x, context = batch(flow)
    context = None if context is None else context.to("meta")
    assert flow.to("meta").log_prob(x.to("meta"), context).shape == (BATCH,)
    assert flow.sample(BATCH, context).shape == x.shape


@pytest.mark.sampled
@pytest.mark.usefixtures("few_steps")
def test_compiles_without_graph_breaks(case: Case, flow: Flow) -> None:
    """torch.compile takes each direction whole, and changes no number."""
    torch._dynamo.reset()
    x, context = batch(flow)
    compiled = torch.compile(flow.log_prob, fullgraph=True, backend="eager")
    close(compiled(x, context), flow.log_prob(x, context), case.float64)
    inverse = torch.compile(flow.bijection.inverse, fullgraph=True, backend="eager")
    z = flow.base.sample(BATCH, context).detach()
    close(inverse(z, context)[0], flow.bijection.inverse(z, context)[0], case.float64)


def test_vmap_of_gradient(case: Case, flow: Flow) -> None:
    """torch.func finds the score of each row, as autograd does."""
    x, context = batch(flow)

    def one(x: Tensor, context: Tensor | None) -> Tensor:
        return flow.log_prob(x[None], None if context is None else context[None])[0]

    dims = (0, None if context is None else 0)
    scores = vmap(jacrev(one), in_dims=dims)(x, context)
    x.requires_grad_()
    (expected,) = torch.autograd.grad(flow.log_prob(x, context).sum(), x)
    close(scores, expected, case.float64)
