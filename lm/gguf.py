"""A checkpoint → one GGUF file, for llama.cpp and what is built on it.

For `gpt2` with byte pairs, the one pair that both sides know. Written with the `gguf` package in float32 and read back
before it counts: every tensor must be the same. Names and layout are those of llama.cpp's `gpt2` (matrices as `(out,
in)`, the head written out even where it is tied).

Two differences remain, both in llama.cpp. Its GELU is the tanh formula, on a CPU out of a table in half precision: with
`gelu=tanh` it is the same function up to that rounding, and the default, the exact GELU, differs from it by less than
0.0005. And a vocabulary without an end of text has token 11 taken for one: generate with `--ignore-eos`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from lm import checkpoint, run_dir, tokenizer_json
from lm.config import ModelConfig
from lm.errors import CheckpointError
from lm.files import replace_file, temporary_beside
from lm.model import LAYER_NORM_EPS
from lm.tokenizer import BPETokenizer, Tokenizer, load_tokenizer

# GPT-2's way to cut text into words, as it was published and in tiktoken's faster spelling.
GPT2_PATTERNS = (tokenizer_json.GPT2_PATTERN, r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+")
# How llama.cpp cuts text into words: by GPT-2's pattern, or by the nearest it has to ours (Llama 3's, from GPT-4's).
GPT2_WORDS, GPT4_WORDS = "gpt-2", "llama-bpe"
BLOCK_NAMES = {
    "norm1": "attn_norm", "attention.qkv": "attn_qkv", "attention.out": "attn_output", "norm2": "ffn_norm",
    "mlp.up": "ffn_up", "mlp.down": "ffn_down",
}  # fmt: skip
TOP_NAMES = {
    "token_embedding": "token_embd", "position_embedding": "position_embd", "final_norm": "output_norm",
    "head": "output",
}  # fmt: skip


def export(directory: Path, to: Path, name: str = "") -> None:
    """Write the checkpoint `directory` as the file `to`, whole or not at all; `CheckpointError` if it cannot be one."""
    package = _package()
    model, tokenizer, to = checkpoint.load_model(directory), load_tokenizer(directory), Path(to)
    _check_fits(model.config, tokenizer)
    if to.is_dir():
        raise CheckpointError(f"{to} is a folder; name a file, for example {to / 'model.gguf'}")
    found = tensors({n: t.numpy() for n, t in model.state_dict().items()})
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        with temporary_beside(to) as temporary:
            writer = package.GGUFWriter(temporary, "gpt2")
            _write_settings(package, writer, name or to.stem, model.config)
            _write_vocabulary(package, writer, tokenizer, *vocabulary(directory))
            _write_tensors(writer, found)
            _compare(package, temporary, found)
            replace_file(temporary, to)
    except OSError as error:
        raise CheckpointError(
            f"cannot write {to}: {error.strerror or error}; free some space or choose another place"
        ) from None


def tensors(weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Our weights under llama.cpp's names: the same shapes, zeros for biases that the model leaves out."""
    named = {_their_name(name): array for name, array in weights.items()}
    named.setdefault("output.weight", named["token_embd.weight"])
    for name in [name for name in named if name.startswith(("blk.", "output_norm"))]:
        bias = name.removesuffix(".weight") + ".bias"
        named.setdefault(bias, np.zeros(named[name].shape[0], dtype=np.float32))
    return {name: np.ascontiguousarray(array, dtype=np.float32) for name, array in named.items()}


def vocabulary(directory: Path) -> tuple[list[str], list[str]]:
    """Of a byte pair tokenizer.json: its tokens by id, in GPT-2's spelling of bytes, and its merges as `left right`.

    An id that nobody owns gets a stand-in.
    """
    stored = run_dir.read_json(Path(directory) / tokenizer_json.FILE)
    named = {i: token for token, i in stored["model"]["vocab"].items()}
    named |= {token["id"]: token["content"] for token in stored["added_tokens"]}
    words = [named.get(i, f"[unused{i}]") for i in range(max(named) + 1)]
    return words, [" ".join(pair) if isinstance(pair, list) else pair for pair in stored["model"]["merges"]]


def _check_fits(config: ModelConfig, tokenizer: Tokenizer) -> None:
    if config.arch != "gpt2" or config.has_experts or not isinstance(tokenizer, BPETokenizer):
        raise CheckpointError(
            f"arch={config.arch}, n_experts={config.n_experts}, tokenizer={tokenizer.name} have no place in GGUF; "
            "it must be gpt2 without experts over byte pairs (--arch gpt2 --tokenizer bpe), or export with "
            "--format transformers"
        )


def _package() -> Any:
    try:
        import gguf
    except ImportError:
        raise CheckpointError("GGUF needs the package gguf; install it with `pip install gguf`") from None
    return gguf


def _their_name(name: str) -> str:
    """`blocks.3.mlp.up.weight` → `blk.3.ffn_up.weight`."""
    if name.startswith("blocks."):
        _, i, rest = name.split(".", 2)
        part, kind = rest.rsplit(".", 1)
        return f"blk.{i}.{BLOCK_NAMES[part]}.{kind}"
    part, kind = name.rsplit(".", 1)
    return f"{TOP_NAMES[part]}.{kind}"


def _write_settings(package: Any, writer: Any, name: str, config: ModelConfig) -> None:
    writer.add_name(name)
    writer.add_context_length(config.block_size)
    writer.add_embedding_length(config.n_embd)
    writer.add_block_count(config.n_layer)
    writer.add_feed_forward_length(config.inner)
    writer.add_head_count(config.n_head)
    writer.add_layer_norm_eps(LAYER_NORM_EPS)
    writer.add_file_type(package.LlamaFileType.ALL_F32)


def _write_vocabulary(package: Any, writer: Any, tokenizer: BPETokenizer, words: list[str], merges: list[str]) -> None:
    kinds, owned, special = package.TokenType, set(tokenizer.ranks.values()), tokenizer.special.values()
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(GPT2_WORDS if tokenizer.pattern.startswith(GPT2_PATTERNS) else GPT4_WORDS)
    writer.add_token_list(words)
    writer.add_token_types(
        [kinds.NORMAL if i in owned else kinds.CONTROL if i in special else kinds.UNUSED for i in range(len(words))]
    )
    writer.add_token_merges(merges)
    writer.add_add_bos_token(False)
    for end_of_text in list(special)[:1]:
        writer.add_bos_token_id(end_of_text)
        writer.add_eos_token_id(end_of_text)


def _write_tensors(writer: Any, found: dict[str, np.ndarray]) -> None:
    for name, array in found.items():
        writer.add_tensor(name, array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _compare(package: Any, path: Path, expected: dict[str, np.ndarray]) -> None:
    """Read the file back: the same tensors, bit for bit."""
    read = {tensor.name: tensor.data for tensor in package.GGUFReader(path).tensors}
    wrong = sorted(
        name for name in expected.keys() | read.keys() if not np.array_equal(expected.get(name), read.get(name))
    )
    if wrong:
        raise CheckpointError(
            f"the GGUF file reads back differently ({wrong[0]}); the disk may be damaged: choose another"
        )
