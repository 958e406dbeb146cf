"""How gradients become steps: parameter groups, AdamW, Muon, and the schedule of the learning rate.

`make_optimizers` splits a model's parameters: matrices decay towards zero; biases, norms and embeddings do not, for
they set offsets and scales, and the row of a token that a batch lacks has no gradient that would hold against the pull
(GPT-2's practice as in minGPT and nanoGPT; embeddings spared as in nanochat). With `optimizer="muon"` the matrices
inside the blocks go to Muon (Jordan et al. 2024) and everything else, routers too, stays with AdamW.

Every group remembers its own highest rate as `initial_lr`; one factor, `lr_scale`, moves them all.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor

from lm.config import TrainConfig
from lm.model import GPT

# Coefficients of x, x³, x⁵ for each Newton–Schulz step: the first four of the five that Amsel et al. 2025 ("The Polar
# Express") derive for products rounded to bf16, as modded-nanogpt has them. Singular values between 0.001 and 1 come to
# 0.4 to 1.6. Trainings end no higher than with Jordan's five steps of one polynomial (`benchmarks/LOG.md`).
NEWTON_SCHULZ = (
    (8.15655, -22.48329, 15.87877),
    (4.04293, -2.80892, 0.50002),
    (3.89167, -2.77248, 0.50606),
    (3.28575, -2.36813, 0.46449),
)
SPARE = 1.02  # times the norm that a matrix is divided by: rounding may not bring a singular value above one
LONG = 2.0  # times the shorter side: from there on the Gram matrices are cheaper, 2.8 against 4.7 ms for 4 of 128 × 512
EMBEDDING = "token_embedding.weight"
EPS = 1e-7  # torch.optim.Muon's; spares a gradient of zeros the division by its norm


class Muon(torch.optim.Optimizer):
    """Momentum whose step is made orthogonal, so that no direction of a matrix is starved.

    The arithmetic is `torch.optim.Muon`'s (with its coefficients a test holds the two together), with three differences.
    Each Newton–Schulz step has coefficients of its own (`NEWTON_SCHULZ`). A group may give `rows`: a matrix that holds
    several on top of one another (query, key, value) is orthogonalised part by part, as Jordan advises. And matrices of
    one shape are orthogonalised as one batch; measured with Jordan's five steps on two Xeon cores with AVX-512 bf16, a
    step of 4 blocks of width 128 takes 6.6 ms instead of 9.6 ms, of width 256 32 ms instead of 37 ms, and of 6 blocks of
    width 384 about the same.

    `dtype` is that of the Newton–Schulz products; bfloat16 is enough for them, and where the processor has it measured
    2.4 to 3.6 times faster than float32.
    """

    def __init__(
        self, params, lr: float, momentum: float = 0.95, weight_decay: float = 0.1, dtype: torch.dtype = torch.float32
    ) -> None:
        super().__init__(params, dict(lr=lr, weight_decay=weight_decay, rows=None))
        self.momentum, self.dtype = momentum, dtype

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        assert closure is None, "Muon's step takes no closure"
        batches: dict[torch.Size, list[tuple[Tensor, Tensor, float]]] = defaultdict(list)
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    parameter.mul_(1 - group["lr"] * group["weight_decay"])
                    update = self._momentum(parameter)
                    rows = group["rows"] or [parameter.size(0)]
                    for part, wanted in zip(parameter.split(rows), update.split(rows), strict=True):
                        batches[part.shape].append((part, wanted, group["lr"]))
        for batch in batches.values():
            self._apply(batch)

    def _momentum(self, parameter: Tensor) -> Tensor:
        """Nesterov's look-ahead of the running mean of gradients, (rows, columns)."""
        state = self.state[parameter]
        if not state:
            state["momentum_buffer"] = torch.zeros_like(parameter)
        buffer = state["momentum_buffer"].lerp_(parameter.grad, 1 - self.momentum)
        return parameter.grad.lerp(buffer, self.momentum)

    def _apply(self, batch: list[tuple[Tensor, Tensor, float]]) -> None:
        """Step all matrices (rows, columns) of one shape; tall ones go further, by √(rows/columns)."""
        rows, columns = batch[0][0].shape
        updates = orthogonalise(torch.stack([wanted for _, wanted, _ in batch]).to(self.dtype))
        for (part, _, lr), update in zip(batch, updates, strict=True):
            part.add_(update, alpha=-lr * math.sqrt(max(1.0, rows / columns)))


def orthogonalise(matrices: Tensor) -> Tensor:
    """Bring the singular values of N matrices (N, rows, columns) near one, by a few Newton–Schulz steps (not an SVD)."""
    is_tall = matrices.size(1) > matrices.size(2)
    x = matrices.mT if is_tall else matrices
    x = x / (SPARE * x.norm(dim=(1, 2), keepdim=True)).clamp(min=EPS)
    is_long = x.size(2) >= LONG * x.size(1) and x.dtype != torch.bfloat16
    x = _newton_schulz_of_gram(x) if is_long else _newton_schulz(x)
    return x.mT if is_tall else x


def _newton_schulz(x: Tensor) -> Tensor:
    for a, b, c in NEWTON_SCHULZ:
        gram = x @ x.mT  # (N, shorter, shorter)
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x


def _newton_schulz_of_gram(x: Tensor) -> Tensor:
    """The same with the long side met twice, not twice a step: what multiplies x in each step, P = aI + bG + cG², is made
    of the Gram matrix G = x xᵀ alone, and so is the next step's, P G P. All of them commute.

    Small singular values are squared on the way, for which bf16 has too few bits. In float32 the outcome is within a
    thousandth of float64's where they span six decades (a test holds it to that), and of noise as close as the other's.
    """
    gram = x @ x.mT  # (N, shorter, shorter)
    product = None
    for step, (a, b, c) in enumerate(NEWTON_SCHULZ, start=1):
        factor = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
        factor.diagonal(dim1=1, dim2=2).add_(a)
        product = factor if product is None else factor @ product
        if step < len(NEWTON_SCHULZ):
            gram = factor @ (gram @ factor)
    return product @ x


def spare_the_compiler() -> None:
    """Keep PyTorch from importing its compiler, which takes a second, for optimizers that nobody compiles.

    Four methods say `torch._dynamo.disable` of themselves when they are first called, unless they remember to have said
    it; here they remember. A PyTorch that does it otherwise imports it as before.
    """
    for name in ("add_param_group", "load_state_dict", "state_dict", "zero_grad"):
        if (plain := getattr(getattr(torch.optim.Optimizer, name), "__wrapped__", None)) is not None:
            plain.__dynamo_disable = plain


class AdamW(torch.optim.AdamW):
    """PyTorch's, without the wrapper around its step that imports the compiler (see `spare_the_compiler`)."""

    _plain_step = getattr(torch.optim.AdamW.step, "__wrapped__", torch.optim.AdamW.step)

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor | None:
        return self._plain_step(closure)


class Together:
    """Several optimizers as one: a `GradScaler` then leaves out the step of all of them, or of none."""

    def __init__(self, optimizers: Sequence[torch.optim.Optimizer]) -> None:
        self.optimizers = optimizers

    @property
    def param_groups(self) -> list[dict]:
        return list(_groups(self.optimizers))

    def step(self) -> None:
        for optimizer in self.optimizers:
            optimizer.step()


# ---------------------------------------------------------------------------------------------- groups and schedule


def make_optimizers(model: GPT, config: TrainConfig, precision: str = "float32") -> list[torch.optim.Optimizer]:
    """AdamW alone, or Muon for the blocks' matrices and AdamW for the rest; every group has its `initial_lr`.

    With `precision="bf16"` Muon's Newton–Schulz products run in bfloat16, as Jordan et al. do.
    """
    matrices, others = {}, {}
    for name, parameter in model.named_parameters():
        is_matrix = parameter.dim() == 2 and name.startswith(("blocks", "head"))
        (matrices if is_matrix else others)[name] = parameter
    spare_the_compiler()
    optimizers: list[torch.optim.Optimizer] = []
    if config.optimizer == "muon" and (hidden := [name for name in matrices if _is_muons(name)]):
        dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        optimizers.append(_muon({name: matrices.pop(name) for name in hidden}, model, config, dtype))
    groups = [dict(params=list(matrices.values()), weight_decay=config.weight_decay)]
    if config.embedding_lr and EMBEDDING in others and not model.config.tie_weights:
        groups.append(dict(params=[others.pop(EMBEDDING)], weight_decay=0.0, lr=config.embedding_lr))
    groups.append(dict(params=list(others.values()), weight_decay=0.0))
    optimizers.append(
        AdamW(
            [group for group in groups if group["params"]],
            lr=config.lr,
            betas=(config.beta1, config.beta2),
            fused=model.device.type in ("cpu", "cuda", "mps"),
        )
    )
    for group in _groups(optimizers):
        group["initial_lr"] = group["lr"]
    return optimizers


def set_lr(optimizers: Iterable[torch.optim.Optimizer], scale: float) -> None:
    """Set every group's rate to `scale` times its highest one."""
    for group in _groups(optimizers):
        group["lr"] = group["initial_lr"] * scale


def lr_scale(progress: float, warmup: float, config: TrainConfig) -> float:
    """What the highest learning rate is multiplied by: a linear rise, then the fall that `config.schedule` names.

    `progress` in 0..1 is the share of the run that is done once this step is taken, and `warmup` in 0..1 the share that
    the rise takes. The factor is 1 where the rise ends and `min_lr_ratio` at the end.
    """
    if progress < warmup:
        return progress / warmup
    if config.schedule == "constant":
        return 1.0
    fallen = min(1.0, (progress - warmup) / (1.0 - warmup)) if warmup < 1.0 else 0.0
    height = 1.0 - fallen if config.schedule == "linear" else 0.5 * (1.0 + math.cos(math.pi * fallen))
    return config.min_lr_ratio + (1.0 - config.min_lr_ratio) * height


def scheduled(config: TrainConfig, step: int, max_steps: int, progress: float) -> float:
    """`lr_scale` of the step after `step`, its warm-up being a share of the run or a number of steps.

    `max_steps` is 0 in a run that only the clock ends: a warm-up in steps then rises on top of the schedule.
    """
    if config.warmup < 1:
        return lr_scale(progress, config.warmup, config)
    if max_steps:
        return lr_scale(progress, min(1.0, config.warmup / max_steps), config)
    return min(1.0, (step + 1) / config.warmup) * lr_scale(progress, 0.0, config)


def _muon(matrices: dict[str, torch.nn.Parameter], model: GPT, config: TrainConfig, dtype: torch.dtype) -> Muon:
    """Muon over the blocks' matrices, those of query, key and value cut apart."""
    qkv = [parameter for name, parameter in matrices.items() if name.endswith("qkv.weight")]
    rest = [parameter for name, parameter in matrices.items() if not name.endswith("qkv.weight")]
    groups = [dict(params=qkv, rows=model.blocks[0].attention.widths), dict(params=rest)]
    return Muon(groups, lr=config.muon_lr, momentum=config.muon_momentum, weight_decay=config.weight_decay, dtype=dtype)


def _is_muons(name: str) -> bool:
    """A matrix inside a block; a router is not, for it is a head that scores experts."""
    return name.startswith("blocks") and not name.endswith("router.weight")


def _groups(optimizers: Iterable[torch.optim.Optimizer]) -> Iterable[dict]:
    return (group for optimizer in optimizers for group in optimizer.param_groups)
