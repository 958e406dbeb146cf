"""The next token's scores on an NVIDIA GPU by one launch: `GPT.forward` for one token as a CUDA graph.

A small model's token is about a hundred kernels of a few microseconds each, and Python launches them more slowly than
the GPU runs them. A graph is recorded once for a text and replayed for each token. What is recorded must be the same
work every time: `TokenStep` attends over the whole cache and masks the places that are not written yet.

All recordings of a device are made on one stream, one after another (`RECORDING`): PyTorch keeps a workspace of cuBLAS
for every stream that it ever multiplied on, 32 MB each on Hopper, and a second recording would synchronise the device in
the midst of the first. They are replayed on the default stream, in order; so they may share that workspace.

Not covered: experts (which of them works is decided by Python) and the bigram (`can_record`). Where recording fails, the
model goes on token by token. Measured: on no GPU so far; `TokenStep` itself is tested on the CPU.
"""

from __future__ import annotations

import functools
import threading

import torch
import torch.nn.functional as F
from torch import Tensor

from lm.fast_block import Rotary
from lm.model import GPT, RMS_NORM_EPS, Attention, KVCache, rotate

WARM_UPS = 3  # PyTorch's advice: libraries set themselves up in the first calls, which a recording must not see
RECORDING = threading.Lock()


def can_record(model: GPT) -> bool:
    config = model.config
    return model.device.type == "cuda" and config.arch != "bigram" and not config.has_experts


@functools.cache
def recording_stream(device: torch.device) -> torch.cuda.Stream:
    """The stream that everything on `device` is recorded on."""
    return torch.cuda.Stream(device)


class TokenStep:
    """`model`, in evaluation mode, following a filled `cache` by a token at a time, always with the same operations."""

    def __init__(self, model: GPT, cache: KVCache) -> None:
        self.model, self.cache = model, cache
        cache.keys[:, :, :, cache.length :] = 0  # nothing times nothing: unwritten memory may hold NaN
        cache.values[:, :, :, cache.length :] = 0
        self.ids = torch.zeros(cache.keys.size(1), 1, dtype=torch.int64, device=model.device)  # (B, 1)
        self.position = torch.zeros(1, dtype=torch.int64, device=model.device)
        self.places = torch.arange(model.config.block_size, device=model.device)
        self.recording: torch.cuda.CUDAGraph | None = None

    def __call__(self, ids: Tensor) -> Tensor:
        """The token ids (B,) that come after those of the cache → scores (B, V) of the next."""
        self.ids.copy_(ids.unsqueeze(1))
        self.position.fill_(self.cache.length)
        self.cache.length += 1
        if self.recording is None:
            return self._computed()
        self.recording.replay()
        return self.logits

    def record(self) -> bool:
        """Replay from now on what a token takes; whether that worked. Writes only where the next token will."""
        self.position.fill_(self.cache.length)
        try:
            with RECORDING, torch.cuda.device(self.model.device):
                self.recording = self._recorded(recording_stream(self.model.device))
        except RuntimeError:  # an operation that cannot be recorded, or no memory for it
            return False
        return True

    def _recorded(self, aside: torch.cuda.Stream) -> torch.cuda.CUDAGraph:
        recording, here = torch.cuda.CUDAGraph(), torch.cuda.current_stream()
        aside.wait_stream(here)
        try:
            with torch.cuda.stream(aside):  # also the way back where recording fails: torch.cuda.graph then finds none
                for _ in range(WARM_UPS):
                    self._computed()
                with torch.cuda.graph(recording, stream=aside, capture_error_mode="thread_local"):  # others may work on
                    self.logits = self._computed()
        finally:
            here.wait_stream(aside)
        return recording

    def _computed(self) -> Tensor:
        model, config = self.model, self.model.config
        x = model.token_embedding(self.ids)  # (B, 1, C)
        rotary = None
        if config.arch == "gpt2":
            x = x + model.position_embedding(self.position)
        else:
            x = F.rms_norm(x, x.shape[-1:], eps=RMS_NORM_EPS)
            rotary = model.cos[self.position], model.sin[self.position]  # (1, D) each
        is_written = self.places <= self.position  # (block_size,)
        for block, keys, values in zip(model.blocks, self.cache.keys, self.cache.values, strict=True):
            x = x + self._attended(block.attention, block.norm1(x), rotary, keys, values, is_written)
            x = x + block.mlp(block.norm2(x))
        return model._score(x)[:, 0]

    def _attended(
        self, attention: Attention, x: Tensor, rotary: Rotary | None, keys: Tensor, values: Tensor, is_written: Tensor
    ) -> Tensor:
        """`Attention.forward` of one token over all places of the cache, x (B, 1, C) → (B, 1, C)."""
        B, _, C = x.shape
        q, k, v = (
            part.view(B, 1, -1, attention.head_size).transpose(1, 2)
            for part in attention.qkv(x).split(attention.widths, dim=-1)
        )  # (B, H, 1, D) and twice (B, H_kv, 1, D)
        if rotary is not None:
            q, k = (F.rms_norm(rotate(z, *rotary), z.shape[-1:], eps=RMS_NORM_EPS) for z in (q, k))
        keys.index_copy_(2, self.position, k)
        values.index_copy_(2, self.position, v)
        is_grouped = keys.size(1) != q.size(1)
        y = F.scaled_dot_product_attention(
            q, keys, values, attn_mask=is_written.view(1, 1, 1, -1), enable_gqa=is_grouped
        )
        return attention.out(y.transpose(1, 2).reshape(B, 1, C))
