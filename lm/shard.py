"""A model in pieces: weights, gradients and optimizer state spread over the processes (`--shard`), by PyTorch's FSDP2.

For models that do not fit one device. Of every matrix each process keeps its share of the rows; a block's are gathered
just before it computes and let go of afterwards (Rajbhandari et al. 2020, ZeRO stage 3; Zhao et al. 2023). What leaves
this room is whole again: checkpoints, resume states, and the copy that the leader evaluates and samples with. So one
device must hold the weights alone, a quarter of what training takes.

Not covered: Muon, whose steps need whole matrices; fp16; a compiled model. Tried on CPUs with gloo, never on GPUs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.distributed as dist
from torch import Tensor

from lm.errors import ConfigError
from lm.model import GPT


def shard(model: GPT, device: torch.device, precision: str) -> GPT:
    """Spread `model` over all processes, in place, block after block so that never all of it is on the device."""
    if precision == "fp16":
        raise ConfigError("shard needs a precision whose gradients need no scaling; use --precision float32")
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard  # takes a second, which a training by one process need not wait

    mesh = init_device_mesh(device.type, (dist.get_world_size(),))
    for block in model.blocks if model.config.arch != "bigram" else ():
        fully_shard(block, mesh=mesh)
    return fully_shard(model, mesh=mesh)


def whole(tensor: Tensor) -> Tensor:
    """A tensor put together from all processes, each of which must ask; one that is not sharded is itself."""
    return tensor.full_tensor() if is_piece(tensor) else tensor


def is_piece(tensor: Tensor) -> bool:
    """Whether it is a `DTensor`, asked without importing them."""
    return hasattr(tensor, "full_tensor")


def whole_model(model: GPT) -> GPT:
    """A copy of a sharded model in one piece; every process must ask for it."""
    copy = GPT(model.config, is_blank=True).to(model.device)
    copy.load_state_dict({name: whole(tensor) for name, tensor in model.state_dict().items()})
    return copy.train(model.training)


def shared_out(
    tensors: Mapping[str, Tensor], model: GPT, optimizers: Sequence[torch.optim.Optimizer]
) -> dict[str, Tensor]:
    """Whole tensors as this process's pieces, where the model is sharded; named as `lm.checkpoint` flattens a state."""
    pieces = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    for i, optimizer in enumerate(optimizers):
        parameters = (parameter for group in optimizer.param_groups for parameter in group["params"])
        pieces |= {f"optimizer.{i}.{j}": parameter for j, parameter in enumerate(parameters)}
    return {name: _like(tensor, pieces.get(_owner(name))) for name, tensor in tensors.items()}


def _owner(name: str) -> str:
    """`optimizer.0.3.exp_avg` → `optimizer.0.3`, the parameter that it is the state of."""
    return name.rpartition(".")[0] if name.startswith("optimizer.") else name


def _like(tensor: Tensor, piece: Tensor | None) -> Tensor:
    if piece is None or not is_piece(piece) or tensor.shape != piece.shape:
        return tensor
    from torch.distributed.tensor import distribute_tensor

    return distribute_tensor(tensor.to(piece.device), piece.device_mesh, piece.placements, src_data_rank=None)
