"""The model card: what a stranger should know, written from what the run itself recorded.

Every number comes from `metrics.jsonl` and `config.json`; licence and language are the user's to choose. The text may
be edited before it is pushed; `checked` reads it back as the Hub will. Made with `huggingface_hub.ModelCard`, on a
template of our own: the client's has thirty-seven places that say "More Information Needed".
"""

from __future__ import annotations

import itertools
import re
import reprlib
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from huggingface_hub import EvalResult, ModelCard, ModelCardData

from lm import account, checkpoint, initial, launch, recipes, run_dir
from lm.config import LENGTH_SETTINGS, DataConfig, ModelConfig, TrainConfig
from lm.errors import HubError, RunError
from lm.fork import FRESH
from lm.names import slug
from lm.run_dir import RunDir
from lm.settings import from_dict

TAGS = ("lm-playground", "gpt", "trained-from-scratch")
SHOWN_SAMPLES, SHOWN_CHARACTERS = 4, 600
METRICS = {"val_loss": "loss", "val_perplexity": "perplexity", "val_bits_per_byte": "bits_per_byte"}
# What the Hub calls the licences that people choose for a model of their own text.
LICENSES = ("mit", "apache-2.0", "cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "openrail", "other", "unknown")
KANA = re.compile("[\u3041-\u30ff]")
# Of a card's metadata; ours have 1,000 characters. The time that YAML takes grows with the square of its brackets.
MOST_METADATA, MOST_BRACKETS = 8_000, 200
MOST_CARD = 500_000  # characters; a long card has 30,000. assumed
ENGLISH = re.compile(r"\b(the|and|of|to|is)\b", re.IGNORECASE)

TEMPLATE = """
# {title}

A small GPT ({parameters:,} parameters, {architecture}) trained from scratch on **{corpus}** with LM Playground.
It continues text in the manner of what it read.

![Training and validation loss]({picture})

## Use it

With 🤗 transformers, without remote code:

```python
from transformers import AutoModelForCausalLM, AutoTokenizer

model = AutoModelForCausalLM.from_pretrained("{repo}")
tokenizer = AutoTokenizer.from_pretrained("{repo}")
inputs = tokenizer({prompt!r}, return_tensors="pt")
print(tokenizer.decode(model.generate(**inputs, max_new_tokens=200)[0]))
```

With LM Playground:

```sh
lm pull {repo}
lm generate {name} --prompt {shell_prompt}
```

## Training

{training_table}

What trains it again, {exactness} ({device}, {precision}, threads: {threads}):

```sh
{command}
```

## Evaluation

{evaluation_table}

{method}

## Samples

The same prompt and seed at several steps of the training, the first ones included.

{samples}

## The text

{corpus_table}

{corpus_note}

## Limits

{limits}
"""
BIT_FOR_BIT = "bit for bit on the same kind of machine"
WITHIN_ROUNDING = "the same but for rounding on the same kind of machine"
BY_CLOCK = "though not in the same number of steps, for its length was given in minutes"
LIMITS = (
    "It has read one text and nothing else: it imitates its words and its form, knows no facts, follows no "
    "instructions and should not be relied on for any.",
    "It may repeat passages of the text it was trained on, word for word, with their errors and their prejudices.",
    "It sees {block_size:,} tokens at a time and forgets what lies before them.",
)
ONLY_CHARACTERS = "It reads only the {n:,} characters of its text; any other becomes an unknown token."


@dataclass(frozen=True)
class Choices:
    """What the user decides about the card. `license` is one of the Hub's identifiers, `languages` are ISO codes."""

    license: str = ""
    languages: tuple[str, ...] = ()
    has_corpus: bool = False


def card_text(run: RunDir, repo: str, choices: Choices = Choices(), which: str = "best") -> str:
    """The card of `run` as it would be pushed to `repo` (user/name), metadata and all."""
    directory = checkpoint.find_checkpoint(run.path, run.path.parent, which)
    said, records = run_dir.read_json(run.config), run_dir.read_metrics(run.path)[0]
    measured = measurement(records, checkpoint.facts(directory).step)
    with run_dir.explaining_damage(run.config):
        body = TEMPLATE.format(**_words(run, repo, said, records, measured, choices))
        return str(ModelCard(f"---\n{_metadata(repo, said, measured, choices).to_yaml()}\n---\n{body}"))


def checked(text: str) -> str:
    """`text` itself if the Hub can read it as a card, else a `HubError` that names the fault."""
    cure = "edit the lines between the two --- at the top, or leave the card out to have one written"
    if len(text) > MOST_CARD:
        raise HubError(
            f"the card has more than {MOST_CARD:,} characters; shorten it, or take the Markdown file it was to be"
        )
    if (block := _metadata_block(text)) is None:
        raise HubError(f"the card has no metadata: it must begin with a block between two lines of ---; {cure}")
    if len(block) > MOST_METADATA:
        raise HubError(f"the card's metadata has {len(block):,} characters; keep it below {MOST_METADATA:,}")
    if (brackets := len(re.findall(r"[\[{]", block))) > MOST_BRACKETS:
        raise HubError(f"the card's metadata cannot be read ({brackets:,} brackets); {cure}")
    try:
        if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(block)):  # ten lines can mean a gigabyte
            raise HubError(f"the card's metadata points at its own parts (*name); write them out; {cure}")
        data = ModelCard(text).data.to_dict()
    except yaml.YAMLError as error:
        raise HubError(f"the card's metadata is no YAML ({' '.join(str(error).split())}); {cure}") from None
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise HubError(f"the card's metadata cannot be read ({error}); {cure}") from None
    for key in ("license", "pipeline_tag", "library_name"):
        if not isinstance(data.get(key, ""), str):
            raise HubError(f"the card says {key}={reprlib.repr(data[key])}, which must be one word; {cure}")
    return text


def _metadata_block(text: str) -> str | None:
    """What stands between two lines of --- at its top; line by line, for a pattern would go back again and again."""
    first, *others = text.lstrip().splitlines() or [""]
    end = next((i for i, line in enumerate(others) if i and line.rstrip() == "---"), 0)
    return "\n".join(others[:end]) if first.rstrip() == "---" and end else None


def guess_languages(run: RunDir) -> tuple[str, ...]:
    """`ja` or `en` where the run's samples show it plainly, to prefill a choice; empty otherwise."""
    text = "".join(f"{r.get('prompt', '')}{r.get('text', '')} " for r in samples(run))
    if len(KANA.findall(text)) > len(text) / 20:
        return ("ja",)
    return ("en",) if len(ENGLISH.findall(text)) > len(text.split()) / 50 else ()


# ---------------------------------------------------------------------------------------------- metadata


def _metadata(repo: str, said: Mapping[str, Any], measured: Mapping[str, Any], choices: Choices) -> ModelCardData:
    corpus = said["corpus"]["name"]
    results = [
        EvalResult(
            task_type="text-generation", dataset_type=slug(corpus), dataset_name=f"{corpus} (held-out end)",
            metric_type=kind, metric_value=round(measured[key], 6),
        )
        for key, kind in METRICS.items() if key in measured
    ]  # fmt: skip
    return ModelCardData(
        language=list(choices.languages) or None,
        license=choices.license or None,
        library_name="transformers",
        pipeline_tag="text-generation",
        tags=list(TAGS),
        model_name=repo.split("/")[-1],
        eval_results=results or None,
    )


# ---------------------------------------------------------------------------------------------- body


def _words(
    run: RunDir, repo: str, said: Mapping[str, Any], records: Sequence[Mapping[str, Any]], measured: Mapping[str, Any],
    choices: Choices,
) -> dict[str, Any]:  # fmt: skip
    """Every place of the template."""
    written = samples(run)
    prompt = written[-1]["prompt"] if written else ""
    return dict(
        title=repo.split("/")[-1],
        repo=repo,
        name=slug(repo.split("/")[-1]),
        picture="assets/loss.png",
        parameters=said["parameters"],
        architecture=said["model"]["arch"],
        corpus=said["corpus"]["name"],
        prompt=prompt,
        shell_prompt=_quoted(prompt),
        training_table=_table(account.training(said, records)),
        evaluation_table=_table(account.evaluation(measured)),
        method=account.method(said),
        samples="\n\n".join(map(_sample, _chosen(written))) or "None were written.",
        corpus_table=_table(account.corpus(said)),
        corpus_note=_corpus_note(choices),
        command=command(run, said), exactness=_exactness(said),
        device=said["device"], precision=said["precision"], threads=said["threads"],
        limits="\n".join(f"- {limit}" for limit in _limits(said)),
    )  # fmt: skip


def _corpus_note(choices: Choices) -> str:
    if choices.has_corpus:
        return (
            "The text itself lies in `corpus/`. Whoever published it here is responsible for having the right to do "
            "so; the licence of the model is not a licence of this text."
        )
    return "The text itself is not part of this repository; the hash is that of its clean form (UTF-8, LF line ends)."


def _limits(said: Mapping[str, Any]) -> list[str]:
    limits = [limit.format(block_size=said["model"]["block_size"]) for limit in LIMITS]
    return limits + [ONLY_CHARACTERS.format(n=said["model"]["vocab_size"] - 1)] * (said["tokenizer"] == "char")


def _exactness(said: Mapping[str, Any]) -> str:
    """How near `command` comes to the run: no two minutes hold as many steps, and a GPU adds in any order."""
    if any(length.get("minutes") for length in (*said.get("lengths", []), said["train"])):
        return BY_CLOCK
    return BIT_FOR_BIT if said["device"] == "cpu" else WITHIN_ROUNDING


def command(run: RunDir, said: Mapping[str, Any]) -> str:
    """What a person types, line by line, to get the same run; the files are named as the run knew them."""
    train = replace(from_dict(TrainConfig, said["train"]), track="")
    lengths = [*said.get("lengths", []), {name: getattr(train, name) for name in LENGTH_SETTINGS}]
    lines = _first_lines(run, said, replace(train, **{name: lengths[0][name] for name in LENGTH_SETTINGS}))
    return "\n".join([*lines, *(_resumed(run, before, after) for before, after in itertools.pairwise(lengths))])


def _first_lines(run: RunDir, said: Mapping[str, Any], train: TrainConfig) -> list[str]:
    """What made the run: training, from other weights perhaps, or a fork."""
    recipe = recipes.find(said["recipe"] if said.get("recipe") in recipes.NAMES else "quickstart")
    data, model = from_dict(DataConfig, said["data"]), from_dict(ModelConfig, said["model"])
    origin, began = said.get("forked_from"), said.get("init_from")
    if origin and origin["checkpoint"] != FRESH:
        flags = recipes.flags(recipe, recipe.data, model, train)[2:]  # a fork has its parent's recipe and its tokens
        which = origin["checkpoint"]
        return [
            f"# begins with the {which} weights of run {origin['run']}, of its step {origin['step']}",
            shlex.join(["lm", "fork", origin["run"], "--name", run.name, "--checkpoint", which, *flags]),
        ]
    words = ["--data", *([file["name"] for file in said["corpus"].get("files", [])] or [said["corpus"]["name"]])]
    if began:  # the weights decide the tokenizer and the network, but for what they leave open
        data = replace(data, **{name: getattr(recipe.data, name) for name in initial.TOKENIZER_SETTINGS})
        words += ["--init-from", began]
        words += [word for name in initial.FREE for word in recipes.flag(name, getattr(model, name))]
        model = recipe.model
    return [launch.command(run.name, [*words, *recipes.flags(recipe, data, model, train)])]


def _resumed(run: RunDir, before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """The command that gave a run another length, and when."""
    flags = [word for name in LENGTH_SETTINGS if after[name] for word in recipes.flag(name, after[name])]
    return f"{shlex.join(['lm', 'resume', run.name, *flags])}  # from step {before['until_step']} on"


def measurement(records: Sequence[Mapping[str, Any]], step: int | None) -> Mapping[str, Any]:
    """The evaluation at which the shared weights were measured, else the nearest before it."""
    measured = [r for r in records if "val_loss" in r and (step is None or r["step"] <= step)]
    return measured[-1] if measured else {}


# ---------------------------------------------------------------------------------------------- samples and Markdown


def samples(run: RunDir) -> list[dict[str, Any]]:
    """`samples.jsonl`; empty when it is damaged or there is none."""
    try:
        return run_dir.read_samples(run.samples)[0]
    except RunError:
        return []


def _chosen(written: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The first one (before anything was learnt), the last, and some between, early ones rather than late ones."""
    last = len(written) - 1
    places = sorted({round(last * (n / (SHOWN_SAMPLES - 1)) ** 2) for n in range(SHOWN_SAMPLES)}) if written else []
    return [written[place] for place in places]


def _sample(sample: Mapping[str, Any]) -> str:
    text = f"{sample['prompt']}{sample['text']}"
    shown = text[:SHOWN_CHARACTERS] + ("…" if len(text) > SHOWN_CHARACTERS else "")
    fence = "`" * max(3, 1 + max((len(ticks) for ticks in re.findall("`+", shown)), default=0))
    return f"Step {sample['step']:,}:\n\n{fence}text\n{shown}\n{fence}"


def _table(rows: Mapping[str, Any]) -> str:
    lines = (f"| {name} | {_cell(value)} |" for name, value in rows.items())
    return "\n".join(["| | |", "| --- | --- |", *lines])


def _cell(value: Any) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")


def _quoted(text: str) -> str:
    return '"' + re.sub(r'(["\\$`!])', r"\\\1", text.replace("\n", " ")) + '"'


def read_card(path: Path) -> str:
    """A card that the user wrote, checked."""
    try:
        with open(path, encoding="utf-8") as file:
            return checked(file.read(MOST_CARD + 1))  # of a file that never ends, no more
    except (OSError, UnicodeDecodeError) as error:
        raise HubError(f"cannot read the card {path}: {error}; save it as UTF-8") from None
