"""All that the next step depends on, as tensors: weights, optimizer state, random states; of one process or many.

`take` is collective: every process of a team calls it, and the leader gets the whole. What is sharded is put together,
so a state fits any number of processes; each one finds its own random state in it again.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from lm import checkpoint
from lm.model import GPT
from lm.shard import shared_out, whole
from lm.team import Team


def take(model: GPT, optimizers: Sequence[torch.optim.Optimizer], team: Team) -> dict[str, Tensor]:
    """The state of all processes for the leader; what the others get back is not whole."""
    tensors = {name: whole(tensor) for name, tensor in checkpoint.flatten_state(model, optimizers).items()}
    random = {"rng.torch": torch.get_rng_state()}
    if model.device.type == "cuda":
        random["rng.cuda"] = torch.cuda.get_rng_state(model.device)
    return tensors | team.collect(random)


def put(tensors: dict[str, Tensor], model: GPT, optimizers: Sequence[torch.optim.Optimizer], rank: int) -> bool:
    """Put back what `take` took; False where there was no process of this rank, whose dropout then begins anew."""
    checkpoint.unflatten_state(shared_out(tensors, model, optimizers), model, optimizers)
    behind = f".{rank}" if rank else ""
    if f"rng.torch{behind}" not in tensors:
        return False
    torch.set_rng_state(tensors[f"rng.torch{behind}"])
    if model.device.type == "cuda":
        torch.cuda.set_rng_state(tensors[f"rng.cuda{behind}"], model.device)
    return True
