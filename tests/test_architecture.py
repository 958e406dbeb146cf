"""The house has rooms: which file may import what. A file that is not in the table fails.

Data flows one way: `lm` never imports `playground`, the interface never imports torch, and what must answer at once
(`lm --help`, a look at a run directory) never loads torch at import.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# What a file may import besides the standard library, wherever in the file the import stands.
ROOMS: dict[str, set[str]] = {
    "app.py": {"playground.app"},
    "lm/__init__.py": set(),
    "lm/errors.py": set(),
    "lm/settings.py": {"lm.errors"},
    "lm/config.py": {"lm.settings"},
    "lm/files.py": {"lm.errors", "psutil"},
    "lm/scratch.py": {"lm.files", "filelock"},
    "lm/records.py": set(),
    "lm/death.py": {"lm.records"},
    "lm/names.py": {"lm.errors"},
    "lm/processors.py": set(),
    "lm/run_dir.py": {"lm.death", "lm.errors", "lm.files", "lm.names", "lm.records", "filelock"},
    "lm/texts.py": {"lm.errors", "lm.encodings", "lm.files", "tqdm"},
    "lm/encodings.py": {"lm.errors", "charset_normalizer"},
    "lm/webpage.py": set(),
    "lm/markup.py": {"lm.errors", "lm.webpage"},
    "lm/pipeline.py": set(),
    "lm/corpus.py": {"lm.errors", "lm.files", "lm.encodings", "lm.markup", "numpy"},
    "lm/tokenizer.py": {"lm.errors", "lm.config", "lm.corpus", "lm.pipeline", "lm.processors", "lm.tokenizer_json", "numpy", "tiktoken", "tiktoken_ext"},
    "lm/tokenizer_json.py": {"lm.errors", "lm.files", "tokenizers"},
    "lm/batches.py": {"lm.errors", "lm.config", "lm.corpus", "lm.tokenizer", "numpy", "torch"},
    "lm/dropout.py": {"torch"},
    "lm/attention.py": {"lm.dropout", "torch"},
    "lm/device.py": {"lm.errors", "lm.processors", "psutil", "torch"},
    "lm/fast_block.py": {"lm.attention", "lm.device", "lm.dropout", "torch"},
    "lm/heap.py": set(),
    "lm/model.py": {"lm.config", "lm.settings", "lm.attention", "lm.dropout", "lm.fast_block", "torch"},
    "lm/costs.py": {"lm.attention", "lm.config", "lm.model", "torch"},
    "lm/optim.py": {"lm.config", "lm.model", "torch"},
    "lm/evaluate.py": {"lm.device", "numpy", "torch"},
    "lm/baselines.py": {"lm.errors", "lm.run_dir", "lm.tokenizer", "numpy"},
    "lm/classes.py": {"lm.config"},
    "lm/convert.py": {"lm.errors", "lm.classes", "lm.config", "lm.settings", "lm.model", "torch"},
    "lm/tensors.py": {"lm.errors", "lm.files", "torch", "safetensors"},
    "lm/checkpoint.py": {
        "lm.errors", "lm.config", "lm.run_dir", "lm.scratch", "lm.model", "lm.tokenizer", "lm.convert", "lm.tensors", "torch",
        "safetensors",
    },
    "lm/attend.py": {"lm.model", "torch"},
    "lm/decode.py": {"lm.attend", "lm.device", "lm.fast_block", "lm.model", "torch"},
    "lm/half.py": {"lm.decode", "lm.device", "lm.fast_block", "lm.heap", "lm.model", "lm.processors", "torch"},
    "lm/graph.py": {"lm.fast_block", "lm.model", "torch"},
    "lm/forked.py": {"lm.processors"},
    "lm/reader.py": {"lm.config", "lm.decode", "lm.graph", "lm.half", "lm.model", "torch"},
    "lm/generate.py": {
        "lm.errors", "lm.config", "lm.decode", "lm.forked", "lm.model", "lm.processors", "lm.reader", "lm.tokenizer", "torch",
    },
    "lm/lens.py": {
        "lm.config", "lm.checkpoint", "lm.evaluate", "lm.generate", "lm.model", "lm.prepare", "lm.reader", "lm.run_dir", "lm.stages", "lm.tokenizer",
        "numpy", "torch",
    },
    "lm/memorised.py": {"lm.errors", "lm.batches", "lm.run_dir", "lm.tokenizer", "numpy"},
    "lm/merging.py": {"lm.errors", "lm.batches", "lm.run_dir", "lm.tokenizer", "lm.tokenizer_json", "tokenizers"},
    "lm/threads.py": {"lm.processors", "torch"},
    "lm/recipes.py": {"lm.errors", "lm.config", "lm.settings"},
    "lm/prepare.py": {
        "lm.errors", "lm.classes", "lm.config", "lm.settings", "lm.run_dir", "lm.corpus", "lm.tokenizer", "lm.batches", "lm.checkpoint", "lm.device",
        "lm.costs", "lm.evaluate", "lm.initial", "lm.memory", "lm.model", "lm.rehearsal", "torch",
    },
    "lm/initial.py": {"lm.errors", "lm.config", "lm.settings", "lm.run_dir", "lm.checkpoint", "lm.model", "lm.tokenizer"},
    "lm/ending.py": {"lm.errors", "lm.files", "lm.memory", "lm.prepare", "lm.run_dir"},
    "lm/compiled.py": {"lm.device", "lm.model", "torch"},
    "lm/recompute.py": {"lm.model", "torch"},
    "lm/observe.py": {
        "lm.config", "lm.batches", "lm.decode", "lm.device", "lm.evaluate", "lm.generate", "lm.health", "lm.model", "lm.prepare",
        "lm.tokenizer", "numpy",
    },
    "lm/shard.py": {"lm.errors", "lm.model", "torch"},
    "lm/stages.py": {"lm.errors", "lm.model", "lm.run_dir", "lm.tensors", "numpy", "torch"},
    "lm/state.py": {"lm.checkpoint", "lm.model", "lm.shard", "lm.team", "torch"},
    "lm/memory.py": {"lm.config", "lm.costs", "torch"},
    "lm/health.py": {"lm.config", "torch"},
    "lm/progress.py": {"lm.config"},
    "lm/trainer.py": {
        "lm.errors", "lm.config", "lm.run_dir", "lm.ending", "lm.batches", "lm.checkpoint", "lm.compiled", "lm.device", 
        "lm.health", "lm.heap", "lm.memory", "lm.model", "lm.observe", "lm.optim", "lm.prepare", "lm.progress", "lm.recompute", "lm.shard", "lm.stages", "lm.state", "lm.team", "lm.threads", "lm.tokenizer", "lm.track", "torch",
    },
    "lm/track.py": {"lm.launch", "lm.run_dir", "tensorboard", "trackio", "wandb"},
    "lm/team.py": {"lm.errors", "torch"},
    "lm/follow.py": {"lm.prepare", "lm.run_dir", "lm.team", "lm.trainer"},
    "lm/fork.py": {
        "lm.errors", "lm.config", "lm.settings", "lm.run_dir", "lm.batches", "lm.checkpoint", "lm.device", "lm.initial", "lm.prepare", "lm.tokenizer",
    },
    "lm/launch.py": {"lm.run_dir", "psutil"},
    "lm/library.py": {"lm.errors", "lm.names", "lm.run_dir", "lm.scratch"},
    "lm/preflight.py": {"lm.classes", "lm.config", "lm.progress"},
    "lm/rehearsal.py": {
        "lm.config", "lm.corpus", "lm.costs", "lm.device", "lm.heap", "lm.memory", "lm.model", "lm.optim", "lm.preflight", "lm.tokenizer",
        "torch",
    },
    "lm/dial.py": {"lm.errors", "lm.config", "lm.recipes", "lm.preflight"},
    "lm/settings_file.py": {"lm.errors", "lm.settings", "lm.recipes"},
    "lm/commands_plan.py": {
        "lm.config", "lm.settings", "lm.recipes", "lm.corpus", "lm.dial", "lm.preflight", "lm.rehearsal",
        "lm.settings_file", "lm.terminal", "lm.texts",
    },
    "lm/figure.py": {"lm.errors", "lm.recipes", "lm.run_dir", "matplotlib"},
    "lm/wire.py": {"lm.errors", "huggingface_hub"},
    "lm/hub.py": {"lm.errors", "lm.wire", "huggingface_hub"},
    "lm/card.py": {
        "lm.errors", "lm.account", "lm.config", "lm.settings", "lm.names", "lm.run_dir", "lm.checkpoint", "lm.fork", "lm.initial", "lm.launch", "lm.recipes",
        "huggingface_hub", "yaml",
    },
    "lm/bundle.py": {"lm.errors", "lm.run_dir", "lm.batches", "lm.checkpoint", "lm.convert", "lm.figure", "lm.tokenizer"},
    "lm/push.py": {"lm.errors", "lm.run_dir", "lm.scratch", "lm.bundle", "lm.card", "lm.hub", "huggingface_hub"},
    "lm/settle.py": {"lm.errors", "lm.run_dir", "lm.scratch", "lm.batches", "lm.bundle", "lm.checkpoint", "lm.device", "lm.prepare", "lm.tokenizer"},
    "lm/pull.py": {
        "lm.errors", "lm.files", "lm.records", "lm.run_dir", "lm.checkpoint", "lm.convert", "lm.hub", "lm.settle", "lm.wire", "huggingface_hub", "numpy", "tqdm",
    },
    "lm/space.py": {"lm.errors", "lm.hub", "huggingface_hub"},
    "lm/backup.py": {"lm.errors", "lm.library", "lm.run_dir", "lm.scratch", "lm.hub", "huggingface_hub"},
    "lm/doctor.py": {"lm.device", "lm.errors", "lm.hub", "lm.memory", "lm.processors", "psutil", "torch"},
    "lm/report.py": {"lm.errors", "lm.account", "lm.run_dir", "lm.card", "lm.figure"},
    "lm/account.py": set(),
    "lm/gguf.py": {
        "lm.errors", "lm.files", "lm.config", "lm.run_dir", "lm.checkpoint", "lm.model", "lm.tokenizer", "lm.tokenizer_json", "gguf", "numpy",
    },
    "lm/terminal.py": {"lm.run_dir", "tqdm"},
    "lm/commands_hub.py": {"lm.names", "lm.run_dir", "lm.terminal", "lm.card", "lm.hub", "lm.pull", "lm.push", "lm.space", "tqdm"},
    "lm/__main__.py": {"lm.errors", "lm.files", "lm.config", "lm.settings", "lm.threads", "lm.commands", "lm.commands_look", "lm.commands_plan", "lm.commands_hub", "lm.follow"},
    "lm/commands_look.py": {"lm.errors", "lm.checkpoint", "lm.commands", "lm.lens", "lm.merging", "lm.terminal", "lm.tokenizer", "numpy"},
    "lm/commands.py": {
        "lm.commands_plan", "lm.errors", "lm.config", "lm.settings", "lm.names", "lm.run_dir", "lm.recipes", "lm.terminal", "lm.corpus", "lm.tokenizer", "lm.batches",
        "lm.checkpoint", "lm.device", "lm.ending", "lm.evaluate", "lm.fork", "lm.generate", "lm.initial", "lm.prepare", "lm.team", "lm.trainer", "lm.figure", "lm.gguf", "lm.report", "lm.commands_hub", "lm.doctor",
    },
    "playground/__init__.py": set(),
    "playground/theme.py": {"gradio"},
    "playground/text_settings.py": set(),
    "playground/words/__init__.py": set(),
    "playground/words/frame.py": set(),
    "playground/words/corpus.py": set(),
    "playground/words/train.py": set(),
    "playground/words/choosing.py": set(),
    "playground/words/limits.py": set(),
    "playground/words/generate.py": set(),
    "playground/words/inside.py": set(),
    "playground/words/share.py": set(),
    "playground/words/of_lm_texts.py": set(),
    "playground/words/of_lm_settings.py": set(),
    "playground/words/of_lm_runs.py": set(),
    "playground/words/of_lm_hub.py": set(),
    "playground/words/of_page.py": set(),
    "playground/words/of_system.py": set(),
    "playground/words/recipes.py": set(),
    "playground/spoken.py": {"playground.text", "playground.theme"},
    "playground/translate.py": {
        "playground.text_settings", "playground.words.of_lm_hub", "playground.words.of_lm_runs", "playground.words.of_lm_settings",
        "playground.words.of_lm_texts", "playground.words.of_page", "playground.words.of_system",
    },
    "playground/text.py": {
        "lm.config", "lm.settings", "playground.text_settings", "playground.words.compare", "playground.words.choosing", "playground.words.corpus", "playground.words.frame",
        "playground.words.generate", "playground.words.inside", "playground.words.live", "playground.words.share", "playground.words.limits", "playground.words.train", "gradio",
    },
    "playground/views.py": {"lm.errors", "lm.library", "lm.records", "lm.names", "lm.run_dir"},
    "playground/workspace.py": {
        "lm.errors", "lm.config", "lm.library", "lm.names", "lm.run_dir", "lm.scratch", "lm.corpus", "lm.tokenizer", "lm.checkpoint", "lm.device",
        "playground.limits", "playground.served", "playground.shares", "playground.planner", "playground.transfer", "playground.views", "psutil",
    },
    "playground/limits.py": {"lm.config", "lm.errors", "lm.files", "playground.markup", "playground.text"},
    "playground/queue.py": {"filelock", "lm.errors", "lm.launch", "lm.processors", "lm.run_dir"},
    "playground/trainings.py": {
        "lm.config", "lm.errors", "lm.fork", "lm.launch", "lm.names", "lm.recipes", "lm.run_dir", "playground.limits", "playground.queue",
        "playground.workspace",
    },
    "playground/guest.py": {
        "lm.run_dir", "playground.edge", "playground.limits", "playground.look", "playground.markup", "playground.text",
        "playground.trainings", "playground.watch", "playground.workspace", "playground.workspaces", "gradio",
    },
    "playground/turns.py": {"playground.limits", "playground.text"},
    "playground/same.py": {"gradio"},
    "playground/start_page.py": {"playground.text"},
    "playground/no_link.py": {"playground.markup", "playground.text", "playground.theme", "playground.workspaces"},
    "playground/sessions.py": {"gradio"},
    "playground/served.py": set(),
    "playground/signed_out.py": {"lm.errors", "lm.run_dir"},
    "playground/shares.py": {"playground.limits", "playground.queue", "playground.turns"},
    "playground/door.py": {"lm.errors", "playground.text", "playground.visitor", "starlette"},
    "playground/workspaces.py": {
        "lm.errors", "lm.library", "lm.names", "lm.run_dir", "lm.scratch", "playground.door", "playground.limits", "playground.queue",
        "playground.shares", "playground.signed_out", "playground.text", "playground.turns", "playground.workspace", "gradio",
    },
    "playground/glance.py": {
        "lm.library", "lm.run_dir", "playground.look", "playground.references", "playground.workspace",
    },
    "playground/look.py": {"lm.run_dir", "playground.views", "playground.workspace"},
    "playground/pace.py": {"lm.processors", "playground.look", "playground.theme", "playground.views", "gradio"},
    "playground/markup.py": {"lm.run_dir", "playground.text", "playground.translate"},
    "playground/frame.py": {
        "playground.look", "playground.markup", "playground.pace", "playground.shelf", "playground.text", "playground.translate",
        "playground.theme", "playground.views", "playground.workspace", "gradio",
    },
    "playground/shelf.py": {
        "lm.library", "lm.names", "lm.run_dir", "playground.edge", "playground.markup", "playground.text", "playground.trainings",
        "playground.views", "playground.watch", "playground.workspace", "gradio",
    },
    "playground/live.py": {
        "lm.run_dir", "playground.coach", "playground.markup", "playground.text", "playground.theme", "playground.translate",
        "playground.views", "gradio",
    },
    "playground/coach.py": {"playground.views"},
    "playground/edge.py": {
        "lm.errors", "lm.files", "playground.markup", "playground.same", "playground.text", "playground.translate", "playground.workspaces", "gradio",
    },
    "playground/plots.py": {
        "playground.look", "playground.references", "playground.text", "playground.theme", "playground.views", "gradio",
    },
    "playground/references.py": {"lm.errors", "lm.run_dir", "lm.recipes", "lm.baselines"},
    "playground/timeline.py": {"playground.look", "playground.text", "playground.theme", "playground.views", "gradio"},
    "playground/words/live.py": set(),
    "playground/keepsake.py": {
        "lm.errors", "playground.text", "playground.theme", "playground.timeline", "playground.views", "PIL", "matplotlib",
    },
    "playground/settings_form.py": {"lm.errors", "lm.config", "lm.settings", "playground.markup", "playground.text", "playground.translate", "gradio"},
    "playground/tabs/__init__.py": set(),
    "playground/tabs/corpus.py": {
        "lm.errors", "lm.config", "lm.settings", "lm.corpus", "lm.texts", "playground.edge", "playground.equivalents", "playground.markup",
        "playground.settings_form", "playground.text", "playground.translate", "playground.workspace", "gradio",
    },
    "playground/installable.py": {"playground.theme"},
    "playground/statics.py": {"playground.plots", "gradio"},
    "playground/quick_look.py": {"lm.errors", "playground.theme", "playground.watch", "playground.workspace", "gradio", "starlette"},
    "playground/planner.py": {"lm.errors", "lm.launch"},
    "playground/recipe_cards.py": {
        "lm.recipes", "playground.markup", "playground.text", "playground.words.choosing", "playground.words.recipes",
    },
    "playground/forecast_view.py": {
        "lm.config", "lm.settings", "lm.preflight", "playground.markup", "playground.settings_form", "playground.text",
        "playground.words.choosing",
    },
    "playground/elsewhere.py": {
        "lm.errors", "lm.settings", "lm.launch", "lm.recipes", "lm.settings_file", "playground.markup", "playground.text",
    },
    "playground/equivalents.py": {"playground.elsewhere", "playground.overlay", "playground.text", "playground.theme", "gradio"},
    "playground/takeaway.py": {
        "lm.errors", "lm.run_dir", "lm.report", "playground.edge", "playground.markup", "playground.text",
        "playground.visitor", "playground.workspace", "gradio",
    },
    "playground/choosing.py": {
        "lm.errors", "lm.settings", "lm.dial", "lm.preflight", "lm.recipes", "lm.names", "lm.settings_file",
        "playground.edge", "playground.elsewhere", "playground.forecast_view", "playground.markup",
        "playground.recipe_cards", "playground.settings_form", "playground.text", "playground.theme",
        "playground.workspace", "gradio",
    },
    "playground/tabs/train.py": {
        "lm.errors", "lm.recipes", "lm.run_dir", "playground.choosing", "playground.edge", "playground.guest", "playground.limits",
        "playground.keepsake", "playground.live", "playground.look", "playground.trainings", "playground.plots", "playground.text", "playground.timeline",
        "playground.views", "playground.watch", "playground.workspace", "gradio",
    },
    "playground/words/compare.py": set(),
    "playground/overlay.py": {"lm.config", "lm.records", "lm.settings", "playground.markup", "playground.text", "playground.views"},
    "playground/tabs/compare.py": {
        "lm.errors", "lm.config", "lm.processors", "lm.settings", "lm.recipes", "lm.run_dir", "playground.trainings", "playground.edge", "playground.equivalents", "playground.look", "playground.markup",
        "playground.overlay", "playground.text", "playground.theme", "playground.workspace", "gradio",
    },
    "playground/models.py": {"lm.errors", "playground.text", "playground.workspace"},
    "playground/drafts.py": {"lm.config", "lm.settings", "lm.generate", "playground.turns"},
    "playground/written.py": {
        "lm.lens", "lm.memorised", "playground.drafts", "playground.markup", "playground.text", "playground.theme", "gradio",
    },
    "playground/writing.py": {
        "lm.errors", "lm.config", "lm.settings", "lm.generate", "lm.lens", "lm.memorised", "lm.run_dir", "playground.drafts",
        "playground.elsewhere", "playground.limits", "playground.markup", "playground.models", "playground.settings_form",
        "playground.text", "playground.workspace", "playground.written", "gradio",
    },
    "playground/insight.py": {
        "lm.errors", "lm.batches", "lm.checkpoint", "lm.generate", "lm.lens", "lm.merging", "lm.run_dir", "lm.stages", "playground.text", "numpy",
    },
    "playground/tabs/inside.py": {
        "lm.errors", "playground.edge", "playground.equivalents", "playground.insight", "playground.look", "playground.markup",
        "playground.models", "playground.text", "playground.theme", "playground.workspace", "gradio",
    },
    "playground/trials.py": {
        "lm.errors", "lm.config", "lm.generate", "playground.drafts", "playground.edge", "playground.elsewhere", "playground.equivalents", "playground.limits", "playground.markup", "playground.models",
        "playground.text", "playground.theme", "playground.workspace", "playground.writing", "gradio",
    },
    "playground/tabs/generate.py": {
        "lm.errors", "lm.pull", "playground.drafts", "playground.edge", "playground.equivalents", "playground.limits", "playground.look", "playground.markup",
        "playground.models", "playground.settings_form", "playground.text", "playground.transfer", "playground.trials",
        "playground.visitor", "playground.workspace", "playground.writing", "playground.written", "gradio",
    },
    "playground/tabs/share.py": {
        "lm.errors", "lm.card", "lm.figure", "lm.push", "lm.space", "playground.edge", "playground.equivalents",
        "playground.look", "playground.markup", "playground.takeaway", "playground.text", "playground.translate", "playground.transfer", "playground.views",
        "playground.visitor", "playground.workspace", "gradio",
    },
    "playground/transfer.py": {"lm.errors", "lm.hub", "playground.markup", "playground.text", "playground.translate"},
    "playground/visitor.py": {"lm.errors", "lm.hub", "playground.text", "gradio", "huggingface_hub"},
    "playground/watch.py": {
        "playground.glance", "playground.look", "playground.pace", "playground.plots", "playground.timeline", "playground.workspace", "gradio",
    },
    "playground/app.py": {
        "lm.errors", "lm.threads", "lm.backup", "playground.choosing", "playground.door", "playground.edge", "playground.guest", "playground.limits", "playground.no_link", "playground.queue", "playground.quick_look", "starlette", "playground.frame", "playground.installable", "playground.markup", "playground.pace", "playground.spoken", "playground.start_page", "playground.statics",
        "playground.sessions", "playground.settings_form", "playground.shelf", "playground.tabs.compare", "playground.tabs.corpus", "playground.tabs.generate", "playground.tabs.inside",
        "playground.tabs.share", "playground.tabs.train", "playground.text", "playground.theme", "playground.visitor", "playground.watch",
        "playground.workspace", "playground.workspaces", "gradio",
    },
}  # fmt: skip

# These answer before torch could have been loaded.
LIGHT = (
    "lm.errors",
    "lm.settings",
    "lm.config",
    "lm.classes",
    "lm.names",
    "lm.run_dir",
    "lm.recipes",
    "lm.launch",
    "lm.processors",
    "lm.threads",
    "lm.__main__",
)
FILES = sorted(
    str(path.relative_to(ROOT).as_posix())
    for path in (ROOT / "app.py", *(ROOT / "lm").rglob("*.py"), *(ROOT / "playground").rglob("*.py"))
)


def imports_of(path: Path) -> set[str]:
    """Every module a file imports, as `lm.model` for our own and by its top name for others."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively; say the whole name"
            is_package = (ROOT / Path(*node.module.split("."))).is_dir()
            found |= {f"{node.module}.{alias.name}" for alias in node.names} if is_package else {node.module}
    own = {name for name in found if name.split(".")[0] in ("lm", "playground")}
    return own | {name.split(".")[0] for name in found - own}


@pytest.mark.parametrize("file", FILES)
def test_a_file_imports_only_what_its_room_allows(file: str) -> None:
    assert file in ROOMS, f"{file} has no room yet: give it one in the table"
    foreign = {name for name in imports_of(ROOT / file) if name not in sys.stdlib_module_names}
    assert foreign <= ROOMS[file], f"{file} may not import {sorted(foreign - ROOMS[file])}"


def test_lm_never_imports_the_interface() -> None:
    for file in (f for f in FILES if f.startswith("lm/")):
        tops = {name.split(".")[0] for name in imports_of(ROOT / file)}
        assert not tops & {"playground", "gradio", "plotly"}, file


def test_the_interface_never_holds_a_tensor() -> None:
    for file in (f for f in FILES if f.startswith(("playground/", "app.py"))):
        assert "torch" not in imports_of(ROOT / file), file


@pytest.mark.parametrize("module", LIGHT)
def test_light_modules_load_without_torch(module: str) -> None:
    code = f"import sys, {module}; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_lm_works_where_gradio_plotly_and_matplotlib_are_missing() -> None:
    code = (
        "import sys\n"
        "for name in ('gradio', 'plotly', 'matplotlib'): sys.modules[name] = None\n"
        "import lm.commands, lm.trainer, lm.checkpoint, lm.generate\n"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
