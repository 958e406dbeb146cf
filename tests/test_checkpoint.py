"""Checkpoints that `transformers` loads with the same logits and text; states from which a run goes on bit for bit."""

from __future__ import annotations

import json
import threading

import pytest
import torch
import torch.nn.functional as F
from models import lively
from safetensors.torch import load_file, save_file

from lm import checkpoint, run_dir, tensors
from lm.checkpoint import (
    Facts,
    export,
    facts,
    find_checkpoint,
    flatten_state,
    load_model,
    load_resume,
    save_model,
    save_resume,
    unflatten_state,
)
from lm.config import ModelConfig, TrainConfig
from lm.errors import CheckpointError, RunError
from lm.model import GPT
from lm.optim import make_optimizers
from lm.run_dir import RunDir
from lm.tokenizer import CharTokenizer

TOKENIZER = CharTokenizer("abc def\n\t.日本語🎉é")
TINY = dict(vocab_size=TOKENIZER.vocab_size, block_size=24, n_layer=2, n_head=4, n_embd=32)
VARIANTS = {
    "gpt2": {},
    "gpt2 narrow": dict(n_inner=40),
    "gpt2 of OpenAI": dict(gelu="tanh"),
    "gpt2 untied": dict(tie_weights=False),
    "gpt2 without biases": dict(bias=False),
    "gpt2 of the book": dict(qkv_bias=False, tie_weights=False),
    "modern": dict(arch="modern"),
    "modern untied": dict(arch="modern", tie_weights=False),
    "modern grouped": dict(arch="modern", n_kv_head=2, rope_theta=500.0),
    "modern capped": dict(arch="modern", n_kv_head=1, logit_softcap=3.0, n_inner=72),
    "bigram": dict(arch="bigram"),
    "modern experts": dict(arch="modern", n_experts=4, n_kv_head=2, tie_weights=False),
    "modern tied experts": dict(arch="modern", n_experts=3, n_experts_per_token=1, n_inner=40),
}
every_variant = pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)


def made(**changes) -> GPT:
    return lively(ModelConfig(**TINY | changes))


def some_ids() -> torch.Tensor:
    return torch.randint(TINY["vocab_size"], (2, 24), generator=torch.Generator().manual_seed(1))


def saved(directory, model: GPT, step: int = 7, val_loss: float | None = 1.25):
    save_model(directory, model, TOKENIZER, step=step, val_loss=val_loss)
    return directory


def edit_config(directory, **changes) -> None:
    config = json.loads((directory / "config.json").read_text(encoding="utf-8"))
    run_dir.write_json(directory / "config.json", {k: v for k, v in (config | changes).items() if v is not ...})


# ---------------------------------------------------------------------------------------------- parity


@every_variant
def test_transformers_computes_the_same_logits(changes, tmp_path):
    transformers = pytest.importorskip("transformers")
    model = made(**changes)
    theirs, report = transformers.AutoModelForCausalLM.from_pretrained(
        saved(tmp_path / "x", model), output_loading_info=True
    )
    with torch.no_grad():
        assert (theirs(some_ids()).logits - model(some_ids())).abs().max() < 1e-4
    assert not report["missing_keys"] and not report["unexpected_keys"] and not report["mismatched_keys"]


@every_variant
def test_transformers_writes_the_same_ids_greedily(changes, tmp_path):
    transformers = pytest.importorskip("transformers")
    model = made(**changes)
    theirs = transformers.AutoModelForCausalLM.from_pretrained(saved(tmp_path / "x", model))
    theirs.generation_config.suppress_tokens = None
    ids = some_ids()[:, :4]
    with torch.no_grad():
        written = theirs.generate(ids, max_new_tokens=15, do_sample=False)
        for _ in range(15):
            ids = torch.cat((ids, model(ids, last_only=True).argmax(dim=-1)), dim=1)
    assert torch.equal(written, ids)


def test_transformers_never_writes_the_unknown_token(tmp_path):
    transformers = pytest.importorskip("transformers")
    model = made(tie_weights=False)
    with torch.no_grad():
        model.final_norm.weight.zero_()
        model.final_norm.bias.copy_(model.head.weight[TOKENIZER.unk_id])  # it always wants the unknown token most
    theirs = transformers.AutoModelForCausalLM.from_pretrained(saved(tmp_path / "x", model))
    assert TOKENIZER.unk_id not in theirs.generate(some_ids()[:1, :4], max_new_tokens=10)[0, 4:]


@pytest.mark.parametrize("changes", [VARIANTS["gpt2"], VARIANTS["modern"]], ids=["gpt2", "modern"])
def test_transformers_counts_the_same_parameters(changes, tmp_path):
    transformers = pytest.importorskip("transformers")
    model = made(**changes)
    theirs = transformers.AutoModelForCausalLM.from_pretrained(saved(tmp_path / "x", model))
    assert sum(p.numel() for p in theirs.parameters()) == model.parameter_count()


@pytest.mark.parametrize("text", ["bad  cab\n\n\tdé.", "日本語🎉🎉 日", "", " a "])
def test_auto_tokenizer_gives_the_same_ids_and_the_text_back(text, tmp_path):
    transformers = pytest.importorskip("transformers")
    theirs = transformers.AutoTokenizer.from_pretrained(saved(tmp_path / "x", made()))
    ids = theirs(text)["input_ids"]
    assert ids == TOKENIZER.encode(text).tolist() and theirs.decode(ids) == text


@pytest.mark.parametrize("changes", [{}, dict(arch="modern", n_kv_head=2)], ids=["gpt2", "modern"])
def test_a_folder_that_transformers_saved_is_read(changes, tmp_path):
    transformers = pytest.importorskip("transformers")
    model = made(**changes)
    theirs = transformers.AutoModelForCausalLM.from_pretrained(saved(tmp_path / "ours", model))
    theirs.save_pretrained(tmp_path / "theirs")
    edit_config(tmp_path / "theirs", lm_playground=...)  # as if it had never been ours
    with torch.no_grad():
        torch.testing.assert_close(load_model(tmp_path / "theirs")(some_ids()), model(some_ids()))


@pytest.mark.parametrize("changes", [{}, dict(arch="modern")], ids=["gpt2", "modern"])
def test_a_bare_transformers_model_without_its_head_prefix_is_read(changes, tmp_path):
    transformers = pytest.importorskip("transformers")
    model = made(**changes)
    transformers.AutoModel.from_pretrained(saved(tmp_path / "ours", model)).save_pretrained(tmp_path / "bare")
    with torch.no_grad():
        torch.testing.assert_close(load_model(tmp_path / "bare")(some_ids()), model(some_ids()))


# ---------------------------------------------------------------------------------------------- there and back


@every_variant
def test_a_model_comes_back_exactly(changes, tmp_path):
    model = made(**changes)
    loaded = load_model(saved(tmp_path / "x", model))
    assert loaded.config == model.config and not loaded.training
    state, expected = loaded.state_dict(), model.state_dict()
    if model.config.has_experts and not model.config.tie_weights:  # its file holds the norm after the embedding done
        rows, expected_rows = (s.pop("token_embedding.weight") for s in (state, expected))
        torch.testing.assert_close(*(F.rms_norm(r, r.shape[-1:], eps=1e-6) for r in (rows, expected_rows)))
    assert all(torch.equal(state[name], tensor) for name, tensor in expected.items())


def test_loading_draws_no_random_number(tmp_path):
    saved(tmp_path / "x", made())
    before = torch.get_rng_state()
    load_model(tmp_path / "x")
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_weights_are_read_as_float32(dtype, tmp_path):
    path = saved(tmp_path / "x", made()) / "model.safetensors"
    save_file({name: tensor.to(dtype) for name, tensor in load_file(path).items()}, path)
    assert {parameter.dtype for parameter in load_model(tmp_path / "x").parameters()} == {torch.float32}


@pytest.mark.parametrize("val_loss", [1.25, None])
def test_step_and_loss_travel_with_the_weights(val_loss, tmp_path):
    assert facts(saved(tmp_path / "x", made(), step=42, val_loss=val_loss)) == Facts(42, val_loss)


def test_saving_again_changes_the_weights_alone(tmp_path):
    directory = saved(tmp_path / "x", made())
    before = {path.name: path.stat().st_mtime_ns for path in directory.iterdir()}
    saved(directory, made(), step=8)
    after = {path.name: path.stat().st_mtime_ns for path in directory.iterdir()}
    assert before.keys() == after.keys()
    assert {name for name in before if before[name] != after[name]} == {"model.safetensors"}


def test_a_reader_never_sees_half_a_checkpoint(tmp_path):
    """One thread saves models filled with one number each, the other reads: every read is of one number."""
    models = [made() for _ in range(2)]
    with torch.no_grad():
        for number, model in enumerate(models):
            for parameter in model.parameters():
                parameter.fill_(float(number))
    saved(tmp_path, models[0], step=0)
    is_over = threading.Event()

    def write() -> None:
        for n in range(30):
            saved(tmp_path, models[n % 2], step=n % 2)
        is_over.set()

    writer = threading.Thread(target=write)
    writer.start()
    seen = set()
    while not is_over.is_set():
        values = torch.cat([parameter.flatten() for parameter in load_model(tmp_path).parameters()])
        assert values.min() == values.max()
        seen.add(values[0].item())
    writer.join()
    assert seen


# ---------------------------------------------------------------------------------------------- what is refused


def test_a_missing_tensor_and_a_wrong_shape_are_both_named(tmp_path):
    path = saved(tmp_path / "x", made()) / "model.safetensors"
    tensors = load_file(path)
    del tensors["transformer.ln_f.weight"]
    tensors["transformer.wpe.weight"] = torch.zeros(9, 32)
    save_file(tensors, path)
    with pytest.raises(CheckpointError) as caught:
        load_model(tmp_path / "x")
    assert "ln_f.weight is missing" in str(caught.value)
    assert "(9, 32) where config.json means (24, 32)" in str(caught.value)


def test_weights_of_more_layers_than_the_settings_say_are_refused(tmp_path):
    saved(tmp_path / "x", made())
    edit_config(tmp_path / "x", lm_playground=..., n_layer=1)
    with pytest.raises(CheckpointError, match=r"transformer\.h\.1\.attn\.c_attn\.bias is unknown"):
        load_model(tmp_path / "x")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (dict(n_layer=10**9), "n_layer=1000000000"),
        (dict(n_embd=12_000), "shape"),
        (dict(n_embd="wide"), "n_embd='wide'"),
        (dict(vocab_size=-4), "vocab_size=-4"),
        (dict(vocab_size=10**6), "shape"),
        (dict(vocab_size=2**70), "vocab_size=1180591620717411303424 is not"),
        (dict(n_head=3), "not divisible"),
        (dict(activation_function="relu", layer_norm_epsilon=1e-6), "='relu'.*layer_norm_epsilon=1e-06"),
        (dict(activation_function=["gelu"]), "activation_function="),
        (dict(model_type="llama"), "model_type='llama'"),
        (dict(model_type=["gpt2"]), "model_type="),
    ],
)
def test_settings_that_lie_are_refused_before_memory_is_spent(changes, words, tmp_path):
    saved(tmp_path / "x", made())
    edit_config(tmp_path / "x", lm_playground=..., **changes)
    with pytest.raises(CheckpointError, match=words):
        load_model(tmp_path / "x")


def test_a_bias_that_the_settings_leave_out_must_be_zero(tmp_path):
    path = saved(tmp_path / "x", made(bias=False)) / "model.safetensors"
    tensors = load_file(path)
    tensors["transformer.h.0.mlp.c_fc.bias"] += 1
    save_file(tensors, path)
    with pytest.raises(CheckpointError, match="c_fc.bias is not zero"):
        load_model(tmp_path / "x")


@pytest.mark.parametrize("damage", [lambda data: data[:-40], lambda data: b"\x89PNG" + data[4:], lambda data: b""])
def test_damaged_weights_are_refused(damage, tmp_path):
    path = saved(tmp_path / "x", made()) / "model.safetensors"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(CheckpointError, match="damaged"):
        load_model(tmp_path / "x")


def flip_a_bit(path) -> None:
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(data)


def test_one_flipped_bit_is_noticed_when_weights_are_loaded_or_exported_not_when_they_are_listed(tmp_path):
    flip_a_bit(saved(tmp_path / "x", made()) / "model.safetensors")
    for use in (lambda: load_model(tmp_path / "x"), lambda: export(tmp_path / "x", tmp_path / "y")):
        with pytest.raises(CheckpointError, match="x/model.safetensors is damaged.*restore it from a copy"):
            use()
    assert facts(tmp_path / "x").step == 7 and not (tmp_path / "y").exists()


def test_a_changed_step_is_noticed(tmp_path):
    path = saved(tmp_path / "x", made(), step=17) / "model.safetensors"
    path.write_bytes(path.read_bytes().replace(b'"17"', b'"71"'))
    with pytest.raises(CheckpointError, match="sha256"):
        load_model(tmp_path / "x")


def test_weights_are_read_for_their_sum_once_and_again_when_they_changed(tmp_path, monkeypatch):
    path = saved(tmp_path / "x", made()) / "model.safetensors"
    digest, counted = tensors._digest, []
    monkeypatch.setattr(tensors, "_digest", lambda *words: counted.append(1) or digest(*words))
    checkpoint.check(tmp_path / "x"), load_model(tmp_path / "x")
    assert len(counted) == 1
    flip_a_bit(path)
    assert "damaged" in checkpoint.damage(tmp_path / "x") and len(counted) == 2


def test_others_may_read_what_may_be_read_beside_it(tmp_path):
    directory = saved(tmp_path / "x", made())
    assert len({path.stat().st_mode for path in directory.iterdir()}) == 1


def test_damaged_settings_are_refused(tmp_path):
    (saved(tmp_path / "x", made()) / "config.json").write_text("{", encoding="utf-8")
    with pytest.raises(CheckpointError, match="damaged"):
        load_model(tmp_path / "x")


def test_a_pickle_is_refused_and_never_opened(tmp_path):
    saved(tmp_path / "x", made())
    (tmp_path / "x" / "model.safetensors").unlink()
    (tmp_path / "x" / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'exit 1'\ntR.")
    with pytest.raises(CheckpointError, match="runs code when it is read"):
        load_model(tmp_path / "x")


def test_a_disk_that_refuses_is_explained(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(CheckpointError, match="cannot write .*choose a directory"):
        saved(tmp_path / "file" / "x", made())


# ---------------------------------------------------------------------------------------------- finding and exporting


@pytest.fixture
def run(tmp_path) -> RunDir:
    run = run_dir.create(tmp_path / "runs", "tales")
    run_dir.write_status(run, run_dir.Status(state="finished"))
    run_dir.write_json(run.config, {"schema": 1})
    return run


def test_a_checkpoint_is_found_by_name_by_run_and_by_its_own_path(run):
    saved(run.best, made()), saved(run.last, made())
    for name in ("tales", run.path, str(run.path)):
        assert find_checkpoint(name, run.path.parent) == run.best
        assert find_checkpoint(name, run.path.parent, "last") == run.last
    assert find_checkpoint(run.best, run.path.parent) == run.best


def test_a_run_without_a_best_gives_its_last(run):
    saved(run.last, made(), val_loss=None)
    assert find_checkpoint("tales", run.path.parent) == run.last


def test_in_place_of_damaged_best_weights_the_last_ones_are_taken_with_a_word(run):
    saved(run.best, made(), step=5), saved(run.last, made(), step=9)
    told = []
    assert checkpoint.find_sound("tales", run.path.parent, say=told.append) == run.best and not told
    flip_a_bit(run.best / "model.safetensors")
    assert checkpoint.find_sound("tales", run.path.parent, say=told.append) == run.last
    assert "best/model.safetensors is damaged" in told[0] and "took last/, of step 9, instead" in told[0]
    flip_a_bit(run.last / "model.safetensors")
    with pytest.raises(CheckpointError, match="damaged"):
        checkpoint.find_sound("tales", run.path.parent, say=told.append)


def test_a_run_without_a_checkpoint_says_so(run):
    with pytest.raises(CheckpointError, match="'tales' has no checkpoint yet"):
        find_checkpoint("tales", run.path.parent)


def test_an_unknown_name_lists_the_runs_there_are(run):
    with pytest.raises(RunError, match="there are tales"):
        find_checkpoint("tails", run.path.parent)


def test_an_export_is_the_whole_checkpoint(run, tmp_path):
    saved(run.best, made())
    export(run.best, tmp_path / "new" / "mine")
    for path in run.best.iterdir():
        assert (tmp_path / "new" / "mine" / path.name).read_bytes() == path.read_bytes()
    assert [entry.name for entry in (tmp_path / "new").iterdir()] == ["mine"]


def test_an_export_renews_an_export_and_spares_everything_else(run, tmp_path):
    saved(run.best, made(), step=1)
    export(run.best, tmp_path / "mine")
    saved(run.best, made(), step=2)
    export(run.best, tmp_path / "mine")
    assert facts(tmp_path / "mine").step == 2
    (tmp_path / "mine" / "diary.txt").write_text("dear", encoding="utf-8")
    with pytest.raises(CheckpointError, match="'diary.txt'"):
        export(run.best, tmp_path / "mine")
    assert (tmp_path / "mine" / "diary.txt").read_text(encoding="utf-8") == "dear"


def test_an_export_fills_the_empty_directory_one_stands_in(run, tmp_path, monkeypatch):
    saved(run.best, made())
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    export(run.best, ".")
    assert facts(tmp_path / "here").step == 7


def test_an_export_onto_itself_is_refused(run):
    saved(run.best, made())
    with pytest.raises(CheckpointError, match="itself"):
        export(run.best, run.best)
    assert load_model(run.best)


# ---------------------------------------------------------------------------------------------- going on


def training(optimizer: str, seed: int = 0):
    model = GPT(ModelConfig(**TINY), torch.Generator().manual_seed(seed))
    return model, make_optimizers(model, TrainConfig(optimizer=optimizer))


def train_on(model: GPT, optimizers, steps: range) -> None:
    for step in steps:
        ids = torch.randint(TINY["vocab_size"], (4, 13), generator=torch.Generator().manual_seed(step))
        F.cross_entropy(model(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten()).backward()
        for each in optimizers:
            each.step()
            each.zero_grad()


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_resumed_is_never_interrupted_bit_for_bit(optimizer, run):
    straight, its_optimizers = training(optimizer)
    train_on(straight, its_optimizers, range(6))
    first, its_optimizers = training(optimizer)
    train_on(first, its_optimizers, range(3))
    save_resume(run, flatten_state(first, its_optimizers), {"step": 3})
    second, its_optimizers = training(optimizer, seed=9)
    tensors, progress = load_resume(run)
    unflatten_state(tensors, second, its_optimizers)
    train_on(second, its_optimizers, range(progress["step"], 6))
    state = second.state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in straight.state_dict().items())


def test_any_tensor_and_any_progress_come_back(run):
    tensors = {
        "rng": torch.get_rng_state(),
        "scalar": torch.tensor(3.0),
        "empty": torch.zeros(0, 4),
        "half": torch.randn(3).bfloat16(),
        "ids": torch.arange(5),
        "view": torch.arange(6.0).view(2, 3).T,
    }
    progress = {"step": 3, "name": "日本\n🎉", "best": None, "batches": {"position": [1, 2]}}
    save_resume(run, tensors, progress)
    loaded, said = load_resume(run)
    assert said == progress and loaded.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert torch.equal(loaded[name], tensor) and loaded[name].dtype == tensor.dtype


def test_a_run_that_never_saved_has_no_state(run):
    assert load_resume(run) is None


@pytest.mark.parametrize(
    "damage", [flip_a_bit, lambda path: path.write_bytes(path.read_bytes()[:-5]), lambda path: path.unlink()]
)
def test_a_damaged_state_falls_back_on_the_one_before_and_says_so(damage, run):
    for step in (1, 2, 3):
        save_resume(run, {"x": torch.full((8,), float(step))}, {"step": step})
    damage(run.resume / checkpoint.STATE)
    tensors, progress = load_resume(run)
    assert progress["step"] == 2 and tensors["x"][0] == 2 and "took the state before it" in progress["recovery"]


def test_a_changed_progress_is_noticed(run):
    save_resume(run, {"x": torch.zeros(2)}, {"step": 17})
    path = run.resume / checkpoint.STATE
    path.write_bytes(path.read_bytes().replace(b"17", b"71"))
    with pytest.raises(CheckpointError, match="sha256"):
        load_resume(run)


def test_when_both_states_are_damaged_the_run_says_so(run):
    for step in (1, 2):
        save_resume(run, {"x": torch.zeros(8)}, {"step": step})
    flip_a_bit(run.resume / checkpoint.STATE), flip_a_bit(run.resume / checkpoint.PREVIOUS)
    with pytest.raises(CheckpointError, match="'tales' cannot be resumed"):
        load_resume(run)


def test_the_state_of_another_model_is_refused(run):
    model, optimizers = training("adamw")
    other = GPT(ModelConfig(**{**TINY, "n_embd": 16}))
    with pytest.raises(CheckpointError, match="does not fit"):
        unflatten_state(flatten_state(model, optimizers), other, make_optimizers(other, TrainConfig()))


def test_saving_leaves_no_temporary_file(run):
    save_resume(run, {"x": torch.zeros(2)}, {"step": 1})
    saved(run.best, made())
    assert not [path for path in run.path.rglob("*.tmp")]
