"""Other ways out: a report that asks nothing of any network, and a GGUF file that reads back bit for bit."""

from __future__ import annotations

import dataclasses
import html
import json
import re
import sys

import numpy as np
import pytest
from runs import request, write_text

from lm import account, card, checkpoint, gguf, report, run_dir, trainer
from lm.__main__ import main
from lm.config import DataConfig, ModelConfig
from lm.errors import CheckpointError
from lm.model import GPT
from lm.run_dir import RunDir
from lm.tokenizer import BPETokenizer, published


@pytest.fixture(scope="module")
def bpe(tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    """A gpt2 run over byte pairs, without biases, so that some must be made up."""
    folder = tmp_path_factory.mktemp("bpe")
    run = run_dir.create(folder / "runs", "pairs")
    wanted = request(write_text(folder / "fox.txt"), model=dict(bias=False, qkv_bias=False), steps=4)
    trainer.train(run, dataclasses.replace(wanted, data=DataConfig(tokenizer="bpe", vocab_size=300)))
    return run


# ---------------------------------------------------------------------------------------------- report


def without_plotly(page: str) -> str:
    return re.sub(r"<script>/\*\*?\n?\* plotly.*?</script>", "", page, flags=re.DOTALL)


def test_a_report_holds_its_script_and_asks_nothing_of_the_network(shared_fox: RunDir) -> None:
    page = report.page(shared_fox)
    assert len(page) > 1_000_000 and "default-src 'none'" in page
    rest = without_plotly(page)
    assert len(rest) < 30_000 and not re.search(r"https?://|<link|<img|src=|url\(", rest)


def test_a_report_shows_curve_samples_and_settings(shared_fox: RunDir) -> None:
    page = report.page(shared_fox)
    records, _ = run_dir.read_metrics(shared_fox.path)
    shown = json.loads(re.search(r'newPlot\("chart", (\[.*?\]), \{\n', page)[1])
    assert shown[0]["y"] == [r["loss"] for r in records if "loss" in r]
    assert shown[2]["y"] == [r["val_loss"] for r in records if "val_loss" in r] and shown[3]["y"] == [
        min(shown[2]["y"])
    ]
    for sample in card.samples(shared_fox):
        assert html.escape(sample["text"]) in page
    assert run_dir.read_json(shared_fox.config)["corpus"]["sha256"] in page


def test_a_japanese_report_leaves_no_english_sentence(fox: RunDir) -> None:
    shown = without_plotly(report.page(fox, "ja"))
    assert '<html lang="ja">' in shown and "検証損失" in shown and "nat/トークン" in shown
    drawn = json.loads(re.search(r'newPlot\("chart", (\[.*?\]), \{\n', shown)[1])
    assert [trace["name"] for trace in drawn if "name" in trace] == ["学習", "検証", "最良"]
    words = re.sub(r"(?s)<(style|script|pre).*?</\1>|<[^>]*>", "\n", shown)
    assert re.findall(r"[A-Za-z]{2,} [A-Za-z]{2,} [A-Za-z]{2,}", words) == []


def test_every_word_of_a_report_is_in_both_languages() -> None:
    for table in (report.WORDS, account.NAMES, account.VALUES):
        for english, japanese in table.values():
            holes = [set(re.findall(r"{(\w+)", said)) for said in (english, japanese)]
            assert english and japanese and holes[0] == holes[1]


def test_the_losses_of_a_report_can_be_read_as_a_table(shared_fox: RunDir) -> None:
    measured = [r for r in run_dir.read_metrics(shared_fox.path)[0] if "val_loss" in r]
    rows = re.search(r"(?s)<details>.*?</details>", report.page(shared_fox))[0]
    assert rows.count('<th scope="row">') == len(measured) > 1
    assert all(f"<td>{one['val_loss']:.4f}</td>" in rows for one in measured)


def test_a_sample_cannot_run_in_the_report(fox: RunDir) -> None:
    run_dir.append_record(fox.samples, dict(step=13, prompt="</pre>", text="<script>alert(1)</script>"))
    assert "<script>alert" not in report.page(fox)


@pytest.mark.browser
def test_the_reports_chart_can_be_drawn(shared_fox: RunDir, tmp_path, browser) -> None:
    report.write(shared_fox, tmp_path / "fox.html")
    asked, faults = [], []
    page = browser.new_page()
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto((tmp_path / "fox.html").as_uri())
    page.wait_for_selector("#chart .main-svg .scatterlayer .trace")
    drawn = page.locator("#chart .scatterlayer .trace").count()
    assert "Share" not in "".join(page.eval_on_selector_all(".modebar-btn", "all => all.map((e) => e.ariaLabel)"))
    page.close()
    assert drawn == 4 and not faults and asked == [(tmp_path / "fox.html").as_uri()]


def test_a_report_is_exported_by_the_command_line(shared_fox: RunDir, tmp_path, capsys) -> None:
    words = ["export", str(shared_fox.path), "--to", str(tmp_path / "fox.html"), "--format", "html", "--json"]
    assert main([*words, "--language", "ja"]) == 0
    assert json.loads(capsys.readouterr().out)["files"] == ["fox.html"]
    assert (tmp_path / "fox.html").stat().st_size > 1_000_000
    assert '<html lang="ja">' in (tmp_path / "fox.html").read_text(encoding="utf-8")


# ---------------------------------------------------------------------------------------------- GGUF


def read(path):
    return pytest.importorskip("gguf").GGUFReader(path)


def test_every_tensor_reads_back_bit_for_bit(bpe: RunDir, tmp_path) -> None:
    gguf.export(bpe.best, tmp_path / "pairs.gguf")
    ours = checkpoint.load_model(bpe.best).state_dict()
    found = {tensor.name: tensor for tensor in read(tmp_path / "pairs.gguf").tensors}
    names = {
        "token_embedding.weight": "token_embd.weight",
        "blocks.1.attention.qkv.weight": "blk.1.attn_qkv.weight",
        "blocks.0.mlp.down.weight": "blk.0.ffn_down.weight",
        "final_norm.weight": "output_norm.weight",
    }
    for name, theirs in names.items():
        assert np.array_equal(found[theirs].data, ours[name].numpy())
        assert list(found[theirs].shape) == list(ours[name].shape)[::-1]  # GGUF names the fastest axis first
    assert np.array_equal(found["output.weight"].data, ours["token_embedding.weight"].numpy())
    assert not found["blk.0.attn_qkv.bias"].data.any() and len(found) == 4 + 1 + 2 * 12


def test_the_vocabulary_and_the_settings_read_back(bpe: RunDir, tmp_path) -> None:
    gguf.export(bpe.best, tmp_path / "pairs.gguf")
    fields = read(tmp_path / "pairs.gguf").fields
    stored = run_dir.read_json(bpe.best / "tokenizer.json")["model"]
    words = fields["tokenizer.ggml.tokens"].contents()
    assert {word: i for i, word in enumerate(words)} == stored["vocab"]
    assert fields["tokenizer.ggml.merges"].contents() == [" ".join(pair) for pair in stored["merges"]]
    config = checkpoint.load_config(bpe.best)
    assert (
        fields["gpt2.context_length"].contents() == config.block_size
        and fields["gpt2.block_count"].contents() == config.n_layer
    )
    assert (
        fields["gpt2.attention.head_count"].contents() == config.n_head
        and fields["general.architecture"].contents() == "gpt2"
    )


def test_a_vocabulary_with_an_end_of_text_names_it(published_encodings, tmp_path) -> None:
    """As OpenAI's gpt2, which takes seconds to read back: its pattern, its special token, few of its ranks."""
    pattern = published("gpt2").pattern
    ranks = {bytes([byte]): byte for byte in range(256)} | {b" t": 256, b"he": 257, b" the": 258}
    openai = BPETokenizer("gpt2", pattern, ranks, {"<|endoftext|>": 260})
    model = GPT(ModelConfig(vocab_size=openai.vocab_size, block_size=8, n_layer=1, n_head=1, n_embd=4))
    checkpoint.save_model(tmp_path / "openai", model, openai, step=0, val_loss=None)
    gguf.export(tmp_path / "openai", tmp_path / "openai.gguf")
    fields = read(tmp_path / "openai.gguf").fields
    assert (
        fields["tokenizer.ggml.eos_token_id"].contents() == 260 and fields["tokenizer.ggml.pre"].contents() == "gpt-2"
    )
    words, kinds = fields["tokenizer.ggml.tokens"].contents(), fields["tokenizer.ggml.token_type"].contents()
    assert words[258:] == ["Ġthe", "[unused259]", "<|endoftext|>"] and kinds[258:] == [1, 5, 3]
    assert fields["tokenizer.ggml.merges"].contents() == ["Ġ t", "h e", "Ġt he"]


@pytest.mark.parametrize("what", ["char", "modern", "experts"])
def test_what_gguf_cannot_hold_is_refused(what: str, shared_fox: RunDir, tmp_path) -> None:
    run = shared_fox
    if what != "char":
        run = run_dir.create(tmp_path / "runs", what)
        model = dict(arch="modern") if what == "modern" else dict(n_experts=4)
        wanted = request(write_text(tmp_path / "fox.txt"), model=model, steps=1)
        trainer.train(run, dataclasses.replace(wanted, data=DataConfig(tokenizer="bpe", vocab_size=300)))
    with pytest.raises(CheckpointError, match="--format transformers"):
        gguf.export(run.best, tmp_path / "x.gguf")
    assert not (tmp_path / "x.gguf").exists()


def test_a_file_that_reads_back_differently_is_not_kept(bpe: RunDir, tmp_path, monkeypatch) -> None:
    real = gguf._write_tensors  # noqa: SLF001

    def flip(writer, found) -> None:
        real(writer, found | {"token_embd.weight": found["token_embd.weight"] + 1})

    monkeypatch.setattr(gguf, "_write_tensors", flip)
    with pytest.raises(CheckpointError, match="reads back differently"):
        gguf.export(bpe.best, tmp_path / "pairs.gguf")
    assert not list(tmp_path.iterdir())


def test_a_missing_package_is_said(bpe: RunDir, tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "gguf", None)
    with pytest.raises(CheckpointError, match="pip install gguf"):
        gguf.export(bpe.best, tmp_path / "pairs.gguf")
