"""A run's own account of itself, for the tables of a model card and of a report, in English and in Japanese.

`config.json` and the records of `metrics.jsonl` → (name, value) rows. A word in a table stands here once, as the pair
(English, Japanese); numbers, names of files, settings and machines are the same in both. Model cards are English: the
Hub's readers are everybody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

LANGUAGES = ("en", "ja")
Rows = dict[str, Any]

# name of the row: (English, Japanese)
NAMES = {
    "recipe": ("Recipe", "レシピ"),
    "architecture": ("Architecture", "構造"),
    "parameters": ("Parameters", "パラメータ"),
    "context": ("Context length", "文脈の長さ"),
    "tokenizer": ("Tokenizer", "トークナイザ"),
    "optimizer": ("Optimizer", "オプティマイザ"),
    "batch": ("Batch", "バッチ"),
    "steps": ("Steps", "ステップ数"),
    "seen": ("Tokens seen", "読んだトークン"),
    "time": ("Time", "時間"),
    "seed": ("Seed", "シード"),
    "versions": ("Versions", "バージョン"),
    "validation": ("Validation", "検証"),
    "step": ("Step", "ステップ"),
    "val_loss": ("Validation loss", "検証損失"),
    "perplexity": ("Perplexity", "パープレキシティ"),
    "bits": ("Bits per byte", "ビット/バイト"),
    "train_loss": ("Training loss, same method", "学習損失(同じ測りかた)"),
    "name": ("Name", "名前"),
    "characters": ("Characters", "文字数"),
    "bytes": ("Bytes (UTF-8)", "バイト数(UTF-8)"),
    "lines": ("Lines", "行数"),
    "tokens": ("Tokens", "トークン数"),
    "sha256": ("sha256", "sha256"),
}
# what a row says: (English, Japanese)
VALUES = {
    "recipe": ("`{recipe}`", "`{recipe}`"),
    "recipe_from": ("`{recipe}`, from the weights of `{origin}`", "`{recipe}`(`{origin}` の重みから)"),
    "architecture": (
        "`{arch}`: {n_layer} layers, {n_head} heads, width {n_embd}",
        "`{arch}`:{n_layer} 層、{n_head} ヘッド、幅 {n_embd}",
    ),
    "parameters": ("{n:,}", "{n:,}"),
    "parameters_of_experts": (
        "{n:,}, of which a token meets {active:,} ({experts} experts)",
        "{n:,}(エキスパート {experts} 個。一つのトークンが通るのは {active:,})",
    ),
    "context": ("{n:,} tokens", "{n:,} トークン"),
    "tokenizer": ("`{kind}`, {n:,} tokens", "`{kind}`、{n:,} トークン"),
    "optimizer": (
        "{optimizer}, learning rate {lr:g}, {schedule} schedule",
        "{optimizer}、学習率 {lr:g}、スケジュール {schedule}",
    ),
    "batch": ("{batch_size} × {block_size} tokens", "{batch_size} × {block_size} トークン"),
    "seen": ("{n:,} ({epochs:.2f} epochs)", "{n:,}({epochs:.2f} エポック)"),
    "time": ("{seconds:,.0f} s on {device}", "{seconds:,.0f} 秒({device})"),
    "no_validation": ("none: no text was held out", "なし:取り置いたテキストがありません"),
    "loss": ("{loss:.4f} nats per token", "{loss:.4f} nat/トークン"),
    "characters": ("{n:,} ({distinct:,} distinct)", "{n:,}({distinct:,} 種類)"),
    "lines": (
        "{n:,}, of which {share:.1%} repeat an earlier one",
        "{n:,}(うち {share:.1%} は前の行のくり返し)",
    ),
    "tokens": ("{train:,} to train on, {val:,} held out", "学習用 {train:,}、取り置き {val:,}"),
    "method": (
        "The last {share:.0%} of the text was held out before training and cut into windows of {block_size} tokens, in "
        "which every token but the first is predicted exactly once{windows}. The loss is the mean negative "
        "log-likelihood in nats per token, never label-smoothed; only bits per byte compares across tokenizers.",
        "テキストの最後の {share:.0%} を学習の前に取り置き、{block_size} トークンの窓に区切って、最初を除くすべての"
        "トークンをちょうど一度ずつ予測しました{windows}。損失は負の対数尤度の平均(nat/トークン)で、ラベル平滑化は"
        "含みません。トークナイザが違っても比べられるのは、ビット/バイトだけです。",
    ),
    "some_windows": (
        " (of the windows, {n} evenly spaced ones, the same each time)",
        "(窓のうち、等間隔に選んだ {n} 個。毎回同じ)",
    ),
}  # fmt: skip


def training(said: Mapping[str, Any], records: Sequence[Mapping[str, Any]], language: str = "en") -> Rows:
    """How it was trained. `said` is `config.json`, `records` those of `metrics.jsonl`."""
    model, train, last = said["model"], said["train"], records[-1] if records else {}
    return _rows(
        language,
        recipe=_recipe(said, language),
        architecture=_say("architecture", language, **model),
        parameters=_parameters(said, language),
        context=_say("context", language, n=model["block_size"]),
        tokenizer=_say("tokenizer", language, kind=said["tokenizer"], n=model["vocab_size"]),
        optimizer=_say("optimizer", language, **train),
        batch=_say("batch", language, batch_size=train["batch_size"], block_size=model["block_size"]),
        steps=f"{last.get('step', 0):,}",
        seen=_say("seen", language, n=last.get("tokens", 0), epochs=last.get("epoch", 0)),
        time=_say("time", language, seconds=last.get("time_seconds", 0), device=said["device"]),
        seed=said["seed"],
        versions=", ".join(f"{name} {version}" for name, version in said.get("versions", {}).items()),
    )


def evaluation(measured: Mapping[str, Any], language: str = "en") -> Rows:
    """What was measured, by an evaluation's record; empty: nothing was."""
    if not measured:
        return _rows(language, validation=_say("no_validation", language))
    return _rows(
        language,
        step=f"{measured['step']:,}",
        val_loss=_say("loss", language, loss=measured["val_loss"]),
        perplexity=f"{measured['val_perplexity']:.3f}",
        bits=f"{measured['val_bits_per_byte']:.4f}",
        train_loss=_say("loss", language, loss=measured["train_loss"]),
    )


def corpus(said: Mapping[str, Any], language: str = "en") -> Rows:
    """What it read."""
    found = said["corpus"]
    statistics = found["statistics"]
    n, distinct = statistics["characters"], statistics["distinct_characters"]
    return _rows(
        language,
        name=found["name"],
        characters=_say("characters", language, n=n, distinct=distinct),
        bytes=f"{statistics['bytes']:,}",
        lines=_say("lines", language, n=statistics["lines"], share=statistics["duplicate_line_share"]),
        tokens=_say("tokens", language, train=said["tokens"]["train"], val=said["tokens"]["val"]),
        sha256=f"`{found['sha256']}`",
    )


def method(said: Mapping[str, Any], language: str = "en") -> str:
    """How it was measured, in two sentences."""
    n, share = said["train"].get("eval_windows"), said["data"]["val_fraction"]
    windows = _say("some_windows", language, n=n) if n else ""
    return _say("method", language, share=share, block_size=said["model"]["block_size"], windows=windows)


def _recipe(said: Mapping[str, Any], language: str) -> str:
    origin = said.get("init_from")
    return _say("recipe_from" if origin else "recipe", language, recipe=said.get("recipe"), origin=origin)


def _parameters(said: Mapping[str, Any], language: str) -> str:
    """Of a mixture of experts: how many a token meets, too."""
    if not (experts := said["model"].get("n_experts")):
        return _say("parameters", language, n=said["parameters"])
    told = dict(n=said["parameters"], active=said["active_parameters"], experts=experts)
    return _say("parameters_of_experts", language, **told)


def _rows(language: str, **values: Any) -> Rows:
    return {NAMES[key][LANGUAGES.index(language)]: value for key, value in values.items()}


def _say(key: str, language: str, **values: Any) -> str:
    return VALUES[key][LANGUAGES.index(language)].format(**values)
