"""Every panel says what the model does, about any text, within its bounds, in both languages."""

from __future__ import annotations

import base64
import html
import json
import math
import re
import shlex
from types import SimpleNamespace

import gradio as gr
import numpy as np
import pytest
from runs import request, write_text

from lm import lens, run_dir, stages, trainer
from lm.__main__ import main as lm
from lm.config import DataConfig
from lm.errors import CheckpointError, RunError
from lm.merging import LAB_VOCABULARY
from playground import insight
from playground.insight import PANELS
from playground.tabs import inside
from playground.text import say
from playground.workspace import Workspace

FOX, BYTES, BIGRAM = "fox/best", "bytes/best", "pairs/last"
TEXT = "The fox sees the lamp, and sings.\n狐 ☃ <b>"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    folder = tmp_path_factory.mktemp("trained")
    source = write_text(folder / "fox.txt", 20_000)
    trainer.train(run_dir.create(folder / "runs", "fox"), request(source))
    pairs = request(source)
    pairs = type(pairs)(**vars(pairs) | dict(data=DataConfig(tokenizer="bpe", vocab_size=300)))
    trainer.train(run_dir.create(folder / "runs", "bytes"), pairs)
    trainer.train(run_dir.create(folder / "runs", "pairs"), request(source, model=dict(arch="bigram")))
    return Workspace(folder / "workspace", folder / "runs")


def panel(space: Workspace, name: str, checkpoint: str = FOX, text: str = TEXT, language: str = "en") -> dict:
    """The one value that is not skipped, as the browser gets it."""
    _, *shown, _, wrong = inside.show(space, name, checkpoint, text, language)
    assert wrong == ""
    return json.loads(json.dumps(shown[list(PANELS).index(name)], allow_nan=False))


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("checkpoint", [FOX, BYTES])
@pytest.mark.parametrize("name", PANELS)
def test_every_panel_takes_any_text(trained: Workspace, name: str, checkpoint: str, language: str) -> None:
    for text in (TEXT, "a", "日本語", "x" * 5000):
        value = panel(trained, name, checkpoint, text, language)
        assert set(value["words"]) == set(inside.WORDS[name]) and len(json.dumps(value)) < 400_000


def test_a_panel_is_computed_only_when_it_is_open(trained: Workspace) -> None:
    import gradio as gr

    for name in PANELS:
        shown = inside.show(trained, name, FOX, TEXT, "en")[1:-2]
        assert [value == gr.skip() for value in shown] == [other != name for other in PANELS]
    assert all(value == gr.skip() for value in inside.show(trained, "", FOX, TEXT, "en"))


def test_without_a_text_a_passage_is_taken_that_the_model_never_saw(trained: Workspace) -> None:
    run = run_dir.RunDir(trained.runs_dir / "fox")
    _, tokenizer = trained.model("fox", "best")
    from lm.batches import open_tokens

    unseen, learnt = (
        tokenizer.decode(open_tokens(path, tokenizer.vocab_size)) for path in (run.val_tokens, run.train_tokens)
    )
    given = inside.show(trained, "pairs", FOX, "", "en")[0]
    assert given and given in unseen
    assert inside.passage(trained, FOX, "en", is_learnt=False) == given
    assert inside.passage(trained, FOX, "en", is_learnt=True) in learnt


def test_without_a_model_it_says_how_to_get_one(trained: Workspace) -> None:
    with pytest.raises(CheckpointError, match="train one first"):
        inside.show(trained, "surprise", None, TEXT, "en")


def test_a_panel_opened_without_a_model_says_so_calmly(trained: Workspace) -> None:
    *unchanged, said = inside.opened(trained, "surprise", None, TEXT, "en")
    assert unchanged == [gr.skip()] * len(unchanged)
    assert "train one first" in said and 'class="note calm"' in said
    assert inside.opened(trained, "pairs", FOX, "", "en") == inside.show(trained, "pairs", FOX, "", "en")


def test_a_model_from_elsewhere_is_looked_into_too(trained: Workspace, tmp_path) -> None:
    import shutil

    shutil.copytree(trained.runs_dir / "bytes" / "best", tmp_path / "alone")
    checkpoint = f"{trained.adopt(tmp_path / 'alone', 'alone')}/fetched"
    for name in PANELS:
        assert panel(trained, name, checkpoint)
    assert [stage["name"] for stage in panel(trained, "embeddings", checkpoint)["stages"]] == ["as fetched"]
    with pytest.raises(RunError, match="write some"):
        inside.show(trained, "pairs", checkpoint, "", "en")
    with pytest.raises(CheckpointError, match="without that text"):
        inside.passage(trained, checkpoint, "en", is_learnt=True)


def ways(shown: str) -> list[str]:
    """The texts of what is shown of the same elsewhere: a command, lines of Python."""
    return [html.unescape(re.sub("<.*?>", "", way)) for way in re.findall(r"<pre[^>]*>(.*?)</pre>", shown, re.S)]


@pytest.mark.parametrize("checkpoint", [FOX, BYTES, BIGRAM])
@pytest.mark.parametrize("name", PANELS)
def test_what_a_panel_shows_is_had_by_command_and_by_python(
    trained: Workspace, name: str, checkpoint: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(trained.runs_dir.parent)
    for text in (TEXT, "-a 'quoted' one", "a"):
        command, lines = ways(inside.show(trained, name, checkpoint, text, "en")[-2])
        assert lm([*shlex.split(command)[1:-2], "--json", *shlex.split(command)[-2:]]) == 0
        assert json.loads(capsys.readouterr().out)["panel"] == name
        exec(compile(lines, "lines", "exec"), {})
        assert capsys.readouterr().out or len(text) == 1


def test_the_command_says_what_the_panel_draws(trained: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    def rows(name: str) -> list[dict]:
        assert lm(["look", "fox", "--panel", name, "--runs-dir", str(trained.runs_dir), "--json", TEXT]) == 0
        return json.loads(capsys.readouterr().out)["rows"]

    drawn = panel(trained, "surprise")["pieces"]
    assert [(one["text"], one["nats"] and round(one["nats"], 3)) for one in rows("surprise")] == [
        (text, nats) for text, nats, _ in drawn
    ]
    assert [one["token"] for one in rows("next")] == panel(trained, "next")["tokens"][:20]
    assert sum(one["probability"] for one in rows("next")) <= 1.0001
    shown = panel(trained, "pairs")
    assert [round(one["probability"], 4) for one in rows("pairs")][: insight.PAIR_TOKENS] == shown["odds"]
    assert len(rows("tokens")) == len(panel(trained, "tokens")["steps"])
    assert len(rows("attention")) == panel(trained, "attention")["layers"] * panel(trained, "attention")["heads"]


def test_of_one_token_alone_no_bits_are_told(trained: Workspace) -> None:
    assert panel(trained, "surprise", text="a")["bits"] is None


def test_a_bigram_has_no_attention_and_says_so_beside_the_panel(trained: Workspace) -> None:
    text, *shown, _, wrong = inside.show(trained, "attention", BIGRAM, TEXT, "en")
    assert text == TEXT and say("inside.no_attention", "en") in wrong and shown[2]["empty"]
    assert panel(trained, "embeddings", BIGRAM)["tokens"] and panel(trained, "tokens", BIGRAM)["square"]


# ---------------------------------------------------------------------------------------------- what the panels say


def test_surprise_adds_up_to_the_bits_per_byte_it_names(trained: Workspace) -> None:
    value = panel(trained, "surprise")
    known = [(text, nats) for text, nats, _ in value["pieces"] if nats is not None]
    n_bytes = sum(len(text.encode()) for text, _ in known)
    assert value["bits"] == pytest.approx(sum(nats for _, nats in known) / math.log(2) / n_bytes, abs=0.01)
    assert "".join(text for text, _, _ in value["pieces"]).startswith("The fox")


def test_the_hardest_passages_are_the_hardest_and_do_not_overlap() -> None:
    pieces = [("a", 5.0 if 100 <= i < 110 or i in (40, 200) else 0.1, 1) for i in range(300)]
    found = insight._hardest(pieces)
    assert found[0][0] <= 100 and found[0][1] >= 110 and found[0][2] == pytest.approx((50 + 14 * 0.1) / 24, abs=0.01)
    covered = [i for first, last, _ in found for i in range(first, last)]
    assert len(covered) == len(set(covered)) and {40, 200} <= set(covered) and len(found) == insight.HARD_PASSAGES


def test_the_page_can_compute_every_setting_from_the_scores(trained: Workspace) -> None:
    value, (model, tokenizer) = panel(trained, "next"), trained.model("fox", "best")
    from lm.config import SampleConfig

    found = lens.alternatives(model, tokenizer, tokenizer.encode(TEXT).tolist(), SampleConfig(temperature=1.0, top_k=0))
    mass = np.exp(value["logits"])
    assert value["tokens"][:12] == [choice.text for choice in found]
    assert (mass / mass.sum())[:12] == pytest.approx([choice.drawn for choice in found], abs=1e-3)


def test_attention_says_where_it_leaves_the_rest_of_a_text_out(trained: Workspace) -> None:
    assert panel(trained, "attention", text="The fox")["cut"] == ""
    assert "first 16 characters" in panel(trained, "attention")["cut"]
    text, (_, tokenizer) = TEXT[:20] * 9, trained.model("bytes", "best")
    n_tokens = len(panel(trained, "attention", BYTES, text)["tokens"])
    shown = tokenizer.decode(tokenizer.encode(text)[:n_tokens])
    cut = panel(trained, "attention", BYTES, text)["cut"]
    assert f"first {len(shown)} characters" in cut and f"{n_tokens} tokens" in cut and n_tokens < len(shown)


def test_attention_travels_in_bytes_and_back(trained: Workspace) -> None:
    value, (model, tokenizer) = panel(trained, "attention"), trained.model("fox", "best")
    length = len(value["tokens"])
    packed = np.frombuffer(base64.b64decode(value["weights"]), dtype=np.uint8)
    exact = lens.attention(model, tokenizer.encode(TEXT).tolist())
    rows, columns = np.tril_indices(length)
    assert packed.reshape(value["layers"], value["heads"], -1) / 255 == pytest.approx(
        exact[:, :, rows, columns], abs=0.003
    )


def test_the_map_shows_the_beginning_and_every_checkpoint_there_is(trained: Workspace) -> None:
    value = panel(trained, "embeddings")
    names = [stage["name"] for stage in value["stages"]]
    assert names[0] == "before training" and "best" in names
    steps = [stage["step"] for stage in value["stages"]]
    assert steps == sorted(set(steps)) and steps[-1] == 12  # two checkpoints of one step are one stage
    assert all(len(stage["points"]) == len(value["tokens"]) for stage in value["stages"])
    assert value["tokens"][0] in " eh" and len(value["tokens"]) <= stages.MOST_TOKENS


def test_the_map_goes_through_every_evaluation_and_back_to_three_stages_without(trained: Workspace, tmp_path) -> None:
    import shutil

    shutil.copytree(trained.runs_dir / "fox", tmp_path / "runs" / "fox")
    other, run = Workspace(tmp_path / "workspace", tmp_path / "runs"), run_dir.RunDir(tmp_path / "runs" / "fox")
    found = panel(other, "embeddings")["stages"]
    assert [stage["step"] for stage in found] == [stage.step for stage in stages.read(run)] == [0, 4, 8, 12]
    assert [stage["name"] for stage in found][:3] == ["before training", "", ""]
    next(run.embeddings.glob("000001-*")).write_bytes(b"damaged")
    assert [stage["step"] for stage in panel(other, "embeddings")["stages"]] == [0, 12]
    shutil.rmtree(run.embeddings)
    assert [stage["step"] for stage in panel(other, "embeddings")["stages"]] == [0, 12]


def test_a_run_whose_beginning_is_not_known_shows_what_is_kept(trained: Workspace, tmp_path) -> None:
    import shutil

    shutil.copytree(trained.runs_dir / "fox", tmp_path / "runs" / "fox")
    (tmp_path / "runs" / "fox" / "config.json").write_text("{}", encoding="utf-8")
    shutil.rmtree(tmp_path / "runs" / "fox" / "embeddings")
    other = Workspace(tmp_path / "workspace", tmp_path / "runs")
    names = [stage["name"] for stage in panel(other, "embeddings")["stages"]]
    assert names == [name for name in ("best", "last") if name in names] != []


def test_a_larger_vocabulary_needs_fewer_tokens(trained: Workspace) -> None:
    value = panel(trained, "tokens", text="The fox sees the lamp on the hill and sings to it softly.")
    byte_pairs = [size for size in value["sizes"] if size["name"] == "bpe"]
    counts = [size["tokens"] for size in byte_pairs]
    assert counts[0] == value["bytes"] and counts == sorted(counts, reverse=True) and counts[-1] < counts[0] / 3
    assert byte_pairs[0]["vocab"] == 256 and byte_pairs[-1]["vocab"] <= LAB_VOCABULARY
    assert value["bytes"] - sum(len(joints) for *_, joints in value["steps"]) <= counts[-1]


def test_y_is_x_one_token_later_with_the_models_own_odds(trained: Workspace) -> None:
    value, (model, tokenizer) = panel(trained, "pairs"), trained.model("fox", "best")
    ids = tokenizer.encode(TEXT)[: insight.PAIR_TOKENS + 1]
    assert value["ids"] == ids.tolist() and len(value["odds"]) == len(ids) - 1 <= insight.PAIR_TOKENS
    assert value["odds"] == pytest.approx(np.exp(-lens.token_losses(model, ids)), abs=1e-3)
    assert value["context"] == model.config.block_size


def test_a_chosen_token_is_appended_and_looked_at(trained: Workspace) -> None:
    chosen = SimpleNamespace(text="x")
    assert inside.longer(trained, "next", FOX, "The fo", "en", chosen)[0] == "The fox"
