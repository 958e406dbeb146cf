"""The two branches of a block on a CPU, forward and backward by hand: what the modules compute, in fewer passes.

A third of a small model's step is not arithmetic: query, key and value are copied apart and their gradients together,
sums are made in fresh memory, and under autocast every weight and every gradient is cast in an operation of its own.
Here one autograd node is a whole branch, x + attention(norm(x)) or x + mlp(norm(x)). The stream, the norms and the
rotation of query and key are float32, the products bf16 under autocast and else float32; the gradients are as close to
float64's as those of the modules (a test bounds both). In float32 a step takes 0.91 of its time for the quick start's
model, 0.94 to 0.99 for gpt2's at three sizes, measured on two cores without AVX-512.

`Block` asks `is_ready` and computes plainly where the answer is no. Dropout falls on the weights of the attention and on
what each branch adds, the same numbers as in the modules. Not covered: grouped key/value heads, experts (only their
attention), long contexts without dropout (`lm.attention.keeps_weights`), GPUs.
"""

from __future__ import annotations

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from lm.attention import attention_backward, attention_forward, keeps_weights
from lm.device import has_onednn
from lm.dropout import scale as scale_of
from lm.dropout import stays

Weight = Tensor | None
Rotary = tuple[Tensor, Tensor]  # cos and sin, (T, D) each
aten = torch.ops.aten


def is_ready(x: Tensor) -> bool:
    """Whether the stream x (B, T, C) is read on this CPU as these branches read it: by products in bf16, or in float32
    for a backward pass to come, without which they gain nothing there. A compiler gets the modules, and fuses those."""
    if x.device.type != "cpu" or x.dtype != torch.float32 or torch.compiler.is_compiling():
        return False
    return product_type() == torch.bfloat16 or (product_type() == torch.float32 and x.requires_grad)


def product_type() -> torch.dtype:
    """What matrix products of a float32 stream on a CPU are computed in."""
    return torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else torch.float32


def can_attend(x: Tensor, attention: nn.Module, dropout: float) -> bool:
    """Whether `attention_branch` knows this attention: a key and value for each query, and weights that are kept."""
    return keeps_weights(x.size(1), dropout) and attention.qkv.out_features == 3 * x.size(2)


def attention_branch(x: Tensor, norm: nn.Module, attention: nn.Module, rotary: Rotary | None, dropout: float) -> Tensor:
    """x + dropout(attention(norm(x))), (B, T, C) float32."""
    qkv, out = attention.qkv, attention.out
    n_head = x.size(2) // attention.head_size
    return AttentionBranch.apply(
        x, *_weights(norm), qkv.weight, qkv.bias, out.weight, out.bias, n_head, norm.eps, rotary, dropout
    )


def mlp_branch(x: Tensor, norm: nn.Module, mlp: nn.Module, dropout: float) -> Tensor:
    """x + dropout(mlp(norm(x))), (B, T, C) float32."""
    up, down = mlp.up, mlp.down
    return MLPBranch.apply(x, *_weights(norm), up.weight, up.bias, down.weight, down.bias, mlp.gelu, norm.eps, dropout)


def _weights(norm: nn.Module) -> tuple[Weight, Weight]:
    return (norm.weight, norm.bias) if isinstance(norm, nn.LayerNorm) else (None, None)


class AttentionBranch(torch.autograd.Function):
    """x (B, T, C) float32 → x + dropout(out(attention(norm(x)))).

    A norm without weight is RMS; with `rotary`, query and key are rotated and normalised with the same `eps`.
    """

    @staticmethod
    def forward(
        ctx, x: Tensor, norm_weight: Weight, norm_bias: Weight, qkv_weight: Tensor, qkv_bias: Weight,
        out_weight: Tensor, out_bias: Weight, n_head: int, eps: float, rotary: Rotary | None, dropout: float,
    ) -> Tensor:  # fmt: skip
        dtype = product_type()
        with torch.autocast("cpu", enabled=False):
            B, T, C = x.shape
            normed, *statistics = normalise(x, norm_weight, norm_bias, eps, dtype)  # (B T, C)
            qkv_weight, out_weight = qkv_weight.to(dtype), out_weight.to(dtype)
            qkv = linear(normed, qkv_weight, qkv_bias)  # (B T, 3 C)
            heads = qkv.view(B, T, 3, n_head, -1).permute(2, 0, 3, 1, 4).reshape(3, B * n_head, T, -1)
            query_key = rotate_and_normalise(heads[:2], rotary, eps) if rotary else heads[:2]
            y = heads.new_empty(B, T, n_head, C // n_head)
            kept = attention_forward(*query_key, heads[2], y.transpose(1, 2), dropout)
            y = y.view(B * T, C)
            stream, stayed = add_branch(x, linear(y, out_weight, out_bias), dropout)
        ctx.save_for_backward(
            x, norm_weight, norm_bias, *statistics, normed, qkv_weight, out_weight, heads, query_key, y, stayed,
            *kept,
        )  # fmt: skip
        ctx.n_head, ctx.eps, ctx.rotary, ctx.dropout = n_head, eps, rotary, dropout
        ctx.has_bias = qkv_bias is not None, out_bias is not None
        return stream

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor) -> tuple[Weight, ...]:  # (B, T, C) float32
        (
            x, norm_weight, norm_bias, mean, scale, normed, qkv_weight, out_weight, heads, query_key, y, stayed, *kept
        ) = ctx.saved_tensors  # fmt: skip
        B, T, C = x.shape
        grad_y, grad_out_weight, grad_out_bias = linear_backward(
            of_branch(gradient, y.dtype, stayed, ctx.dropout), y, out_weight, ctx.has_bias[1]
        )
        grad_y = grad_y.view(B, T, ctx.n_head, -1).transpose(1, 2)
        grad_qkv = heads.new_empty(B, T, 3, ctx.n_head, C // ctx.n_head)
        grad_heads = grad_qkv.permute(2, 0, 3, 1, 4)  # (3, B, H, T, D)
        attention_backward(grad_y, *query_key, heads[2], kept, grad_heads, ctx.dropout)
        if ctx.rotary:
            grad_query_key = grad_heads[:2]
            unrotated = rotate_and_normalise_backward(grad_query_key.flatten(1, 2), heads[:2], ctx.rotary, ctx.eps)
            grad_query_key.copy_(unrotated.view_as(grad_query_key))
        grad_qkv = grad_qkv.view(B * T, 3 * C)
        grad_normed, grad_qkv_weight, grad_qkv_bias = linear_backward(grad_qkv, normed, qkv_weight, ctx.has_bias[0])
        grad_x, grad_norm_weight, grad_norm_bias = normalise_backward(
            grad_normed, x, mean, scale, norm_weight, norm_bias
        )
        return (
            grad_x.add_(gradient), grad_norm_weight, grad_norm_bias, grad_qkv_weight, grad_qkv_bias,
            grad_out_weight, grad_out_bias, None, None, None, None,
        )  # fmt: skip


class MLPBranch(torch.autograd.Function):
    """x (B, T, C) float32 → x + dropout(down(activation(up(norm(x))))).

    `gelu` is "none" or "tanh", as `F.gelu` names its formulas, or "" for ReLU².
    """

    @staticmethod
    def forward(
        ctx, x: Tensor, norm_weight: Weight, norm_bias: Weight, up_weight: Tensor, up_bias: Weight,
        down_weight: Tensor, down_bias: Weight, gelu: str, eps: float, dropout: float,
    ) -> Tensor:  # fmt: skip
        dtype = product_type()
        with torch.autocast("cpu", enabled=False):
            normed, *statistics = normalise(x, norm_weight, norm_bias, eps, dtype)  # (B T, C)
            up_weight, down_weight = up_weight.to(dtype), down_weight.to(dtype)
            hidden = linear(normed, up_weight, up_bias)  # (B T, inner)
            activated = F.gelu(hidden, approximate=gelu) if gelu else hidden.relu_().square()
            stream, stayed = add_branch(x, linear(activated, down_weight, down_bias), dropout)
        ctx.save_for_backward(
            x, norm_weight, norm_bias, *statistics, normed, up_weight, down_weight, hidden, activated, stayed
        )
        ctx.gelu, ctx.dropout, ctx.has_bias = gelu, dropout, (up_bias is not None, down_bias is not None)
        return stream

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor) -> tuple[Weight, ...]:
        x, norm_weight, norm_bias, mean, scale, normed, up_weight, down_weight, hidden, activated, stayed = (
            ctx.saved_tensors
        )
        if not ctx.gelu:
            down_weight = 2 * down_weight  # of d h² = 2 h dh, where it is the smallest to multiply
        grad_activated, grad_down_weight, grad_down_bias = linear_backward(
            of_branch(gradient, activated.dtype, stayed, ctx.dropout), activated, down_weight, ctx.has_bias[1]
        )
        if ctx.gelu:
            grad_hidden = aten.gelu_backward(grad_activated, hidden, approximate=ctx.gelu)
        else:
            grad_hidden = grad_activated.mul_(hidden)
        grad_normed, grad_up_weight, grad_up_bias = linear_backward(grad_hidden, normed, up_weight, ctx.has_bias[0])
        grad_x, grad_norm_weight, grad_norm_bias = normalise_backward(
            grad_normed, x, mean, scale, norm_weight, norm_bias
        )
        return (
            grad_x.add_(gradient), grad_norm_weight, grad_norm_bias, grad_up_weight, grad_up_bias,
            grad_down_weight, grad_down_bias, None, None, None,
        )  # fmt: skip


# ---------------------------------------------------------------------------------------------- their parts


def as_rows(x: Tensor, dtype: torch.dtype) -> Tensor:
    """(B, T, C) float32 → (B T, C) as the products take it."""
    return x.reshape(-1, x.size(-1)).to(dtype)


def add_branch(x: Tensor, branch: Tensor, dropout: float) -> tuple[Tensor, Tensor | None]:
    """x (B, T, C) plus what stays of `branch` (B T, C), which is overwritten; and which numbers of it stayed."""
    if not dropout:
        return x + branch.view_as(x), None
    stayed = stays(branch, dropout)
    return torch.add(x, branch.mul_(stayed).view_as(x), alpha=scale_of(dropout)), stayed


def of_branch(gradient: Tensor, dtype: torch.dtype, stayed: Weight, dropout: float) -> Tensor:
    """The gradient of the branch (B T, C), as the products take it, from that of the stream (B, T, C)."""
    gradient = as_rows(gradient, dtype)
    return gradient if stayed is None else (gradient * stayed).mul_(scale_of(dropout))


def linear(x: Tensor, weight: Tensor, bias: Weight) -> Tensor:
    """x (N, in) → (N, out), adding the float32 bias while a bf16 product is written, where oneDNN can."""
    bias = None if bias is None else bias.to(x.dtype)
    if bias is not None and x.dtype == torch.bfloat16 and has_onednn():
        return onednn_linear(x, weight, bias)
    return F.linear(x, weight, bias)


def onednn_linear(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """x (…, in) → x Wᵀ + b (…, out) by oneDNN, in the type of all three; the weight (out, in) as it lies or packed."""
    return torch.ops.mkldnn._linear_pointwise(x, weight, None if bias is None else bias.detach(), "none", [], "")


def linear_backward(gradient: Tensor, x: Tensor, weight: Tensor, has_bias: bool) -> tuple[Tensor, Tensor, Weight]:
    """The gradients of x (N, in) in its own type, of the weight (out, in) and of the bias (out,) in float32."""
    grad_bias = gradient.sum(0).float() if has_bias else None
    return gradient @ weight, (gradient.mT @ x).float(), grad_bias


def normalise(x: Tensor, weight: Weight, bias: Weight, eps: float, dtype: torch.dtype) -> tuple[Tensor, Weight, Tensor]:
    """LayerNorm, or RMSNorm where there is no weight: (B, T, C) float32 → (B T, C) `dtype`, the mean, 1/deviation."""
    if weight is not None:
        normed, mean, scale = torch.native_layer_norm(x, x.shape[-1:], weight, bias, eps)
        return as_rows(normed, dtype), mean, scale
    scale = inverse_rms(x, eps)
    return as_rows(x * scale, dtype), None, scale


def normalise_backward(
    gradient: Tensor, x: Tensor, mean: Weight, scale: Tensor, weight: Weight, bias: Weight
) -> tuple[Tensor, Weight, Weight]:
    """The gradients of x (B, T, C), of the weight and of the bias in float32, from that of the outcome (B T, C)."""
    gradient = gradient.float().view_as(x)
    if weight is None:
        return rms_backward(gradient, x, scale), None, None
    wanted = [True, True, bias is not None]
    return aten.native_layer_norm_backward(gradient, x, x.shape[-1:], mean, scale, weight, bias, wanted)


def inverse_rms(x: Tensor, eps: float) -> Tensor:
    """1/√(mean(x²) + eps) over the last axis, which stays with length 1."""
    norm = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    return norm.square_().div_(x.size(-1)).add_(eps).rsqrt_()


def rms_backward(gradient: Tensor, x: Tensor, scale: Tensor) -> Tensor:
    """The gradient of x where y = x · scale: scale (g - y mean(g y)). Overwrites `gradient`."""
    mean = torch.linalg.vecdot(gradient, x).unsqueeze(-1).mul_(scale.square()).div_(x.size(-1))
    return gradient.addcmul_(x, mean, value=-1).mul_(scale)


def rotate_and_normalise(heads: Tensor, rotary: Rotary, eps: float) -> Tensor:
    """Query and key (2, N, T, D), rotated by their positions and then normalised by RMS, which rotation keeps."""
    x = heads.float()
    return rotate(x, *rotary).mul_(inverse_rms(x, eps)).to(heads.dtype)


def rotate_and_normalise_backward(gradient: Tensor, heads: Tensor, rotary: Rotary, eps: float) -> Tensor:
    """The gradient of the heads as they came from the product: rotated back, then through the norm."""
    x, (cos, sin) = heads.float(), rotary
    return rms_backward(rotate(gradient.float(), cos, -sin), x, inverse_rms(x, eps))


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """`lm.model.rotate` in two passes: channel i rotates with channel i + D/2 of x (2, N, T, D)."""
    y, half = x * cos, x.size(-1) // 2
    y[..., :half].addcmul_(x[..., half:], sin[:, :half])
    y[..., half:].addcmul_(x[..., :half], sin[:, half:], value=-1)
    return y
