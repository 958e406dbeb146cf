"""A run → one HTML page: what it is, its curve to zoom into, its samples, its settings. It asks nothing of any network.

Plotly's script is copied into the page from the installed package (4.8 MB), and a content security policy forbids the
page to fetch anything, so it can be mailed, archived and opened anywhere. It speaks English or Japanese: its words stand
below, those of its tables in `lm.account`. Not covered: what only the live page can show.
"""

from __future__ import annotations

import html
import importlib.metadata
import json
import string
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lm import account, card, run_dir
from lm.errors import RunError
from lm.figure import BLUE, GOLD, VERMILION, smoothed
from lm.run_dir import RunDir

PLOTLY = "plotly/package_data/plotly.min.js"

PAGE = string.Template("""\
<!doctype html>
<html lang="$language">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:">
<title>$title</title>
<style>
:root { --paper: #faf8f3; --panel: #fff; --line: #e6e1d6; --ink: #1d1b18; --soft: #645f55; color-scheme: light dark; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #151517; --panel: #1d1d21; --line: #303036; --ink: #ebe8e1; --soft: #a8a398; }
}
body { margin: 0 auto; padding: 2rem 1rem 4rem; max-width: 60rem; background: var(--paper); color: var(--ink);
  font: 16px/1.55 "IBM Plex Sans", "Hiragino Sans", "Noto Sans JP", system-ui, sans-serif; }
h1 { font: 600 2rem/1.2 Lora, Georgia, serif; margin: 0 0 .25rem; }
h2 { font: 600 1.25rem/1.3 Lora, Georgia, serif; margin: 2.5rem 0 .75rem; }
p.lead { color: var(--soft); margin: 0; }
#chart { height: 26rem; background: var(--panel); border: 1px solid var(--line); border-radius: 8px; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .35rem .75rem .35rem 0; border-bottom: 1px solid var(--line);
  overflow-wrap: anywhere; }
th { font-weight: 400; color: var(--soft); width: 14rem; }
details { margin-top: .75rem; }
summary { cursor: pointer; color: var(--soft); }
details td { font-variant-numeric: tabular-nums; }
thead th, details th { width: auto; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; background: var(--panel); border: 1px solid var(--line);
  border-radius: 8px; padding: .75rem 1rem; font: 14px/1.6 "IBM Plex Mono", ui-monospace, monospace; }
pre b { font-weight: 600; color: var(--soft); }
</style>
</head>
<body>
<h1>$title</h1>
<p class="lead">$lead</p>
<h2>$loss</h2>
<div id="chart" role="img" aria-label="$chart"></div>
<details><summary>$as_table</summary>$losses</details>
<h2>$evaluation_title</h2>
$evaluation
<p>$method</p>
<h2>$samples_title</h2>
$samples
<h2>$training_title</h2>
$training
<h2>$corpus_title</h2>
$corpus
<h2>$again</h2>
<pre>$command</pre>
<script>$plotly</script>
<script>
const ink = getComputedStyle(document.documentElement).getPropertyValue("--ink").trim();
const line = getComputedStyle(document.documentElement).getPropertyValue("--line").trim();
const axis = (title) => ({title: {text: title}, gridcolor: line, zeroline: false, linecolor: line});
Plotly.register({moduleType: "locale", name: "$language", dictionary: $buttons, format: {}});
Plotly.newPlot("chart", $traces, {
  margin: {l: 56, r: 16, t: 16, b: 44}, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
  font: {color: ink}, hovermode: "x unified",
  legend: {orientation: "h", x: 1, xanchor: "right", y: 1.02, yanchor: "bottom"},
  xaxis: axis($step), yaxis: axis($nats),
}, {responsive: true, displaylogo: false, plotlyServerURL: "", modeBarButtonsToRemove: ["sendChartToCloud"],
  locale: "$language"});
</script>
</body>
</html>
""")

# key: (English, Japanese)
WORDS = {
    "lead": (
        "{parameters:,} parameters ({arch}) on {corpus}: {state}",
        "{corpus} で学習した {parameters:,} パラメータのモデル({arch}):{state}",
    ),
    "loss": ("Loss", "損失"),
    "chart": ("Training and validation loss over the steps", "ステップごとの学習損失と検証損失"),
    "as_table": ("The same as a table", "表で見る"),
    "evaluation": ("Evaluation", "評価"),
    "samples": ("Samples", "書いたもの"),
    "no_samples": ("None were written.", "ありません。"),
    "training": ("Training", "学習"),
    "corpus": ("The text", "テキスト"),
    "again": ("Again", "もう一度"),
    "at": ("Step {step:,}", "ステップ {step:,}"),
    "step": ("step", "ステップ"),
    "nats": ("loss (nats per token)", "損失(nat/トークン)"),
    "bits": ("bits per byte", "ビット/バイト"),
    "train": ("training", "学習"),
    "validation": ("validation", "検証"),
    "best": ("best", "最良"),
    "starting": ("starting", "準備中"),
    "running": ("running", "学習中"),
    "finished": ("finished", "完了"),
    "stopped": ("stopped", "停止"),
    "failed": ("failed", "失敗"),
    "dead": ("dead", "中断"),
}
# What Plotly says over the buttons of its own; in English it has words for them.
BUTTONS = {
    "Download plot as a PNG": "PNG で保存", "Zoom": "範囲を拡大", "Pan": "移動", "Zoom in": "拡大", "Zoom out": "縮小",
    "Autoscale": "自動調整", "Reset axes": "全体を表示", "Box Select": "四角で選択", "Lasso Select": "囲んで選択",
}  # fmt: skip


def write(run: RunDir, to: Path, language: str = "en") -> None:
    """Write the report of `run` as the page `to`, whole or not at all; `RunError` if the run has no settings yet."""
    try:
        run_dir.write_whole(Path(to), page(run, language).encode("utf-8"))
    except OSError as error:
        raise RunError(f"cannot write {to}: {error.strerror}; free some space or choose another place") from None


def page(run: RunDir, language: str = "en") -> str:
    """The report as HTML, in one of `account.LANGUAGES`; `RunError` if the settings are damaged."""
    with run_dir.explaining_damage(run.config):
        return _page(run, language)


def _page(run: RunDir, language: str) -> str:
    said, records = run_dir.read_json(run.config), run_dir.read_metrics(run.path)[0]
    state = say(run_dir.state(run), language)
    told = dict(parameters=said["parameters"], arch=said["model"]["arch"], corpus=said["corpus"]["name"], state=state)
    titles = {f"{name}_title": say(name, language) for name in ("evaluation", "samples", "training", "corpus")}
    return PAGE.substitute(
        titles,
        language=language,
        title=html.escape(run.name),
        lead=html.escape(say("lead", language, **told)),
        loss=say("loss", language), chart=say("chart", language), again=say("again", language),
        as_table=say("as_table", language),
        losses=_losses(records, language),
        evaluation=_table(account.evaluation(run_dir.best_record(run), language)),
        method=html.escape(account.method(said, language)),
        samples="\n".join(_sample(one, language) for one in card.samples(run)) or f"<p>{say('no_samples', language)}</p>",
        training=_table(account.training(said, records, language)),
        corpus=_table(account.corpus(said, language)),
        command=html.escape(card.command(run, said)),
        plotly=_plotly(),
        traces=_script(traces(records, language)),
        step=_script(say("step", language)), nats=_script(say("nats", language)),
        buttons=_script(BUTTONS if language == "ja" else {}),
    )  # fmt: skip


def say(key: str, language: str, **values: Any) -> str:
    """A text of the page in `language`, its braces filled."""
    return WORDS[key][account.LANGUAGES.index(language)].format(**values)


def traces(records: list[dict[str, Any]], language: str = "en") -> list[dict[str, Any]]:
    """The curves as Plotly takes them: training raw and smoothed, validation, its best."""
    trained = [r for r in records if "loss" in r]
    measured = [r for r in records if "val_loss" in r]
    steps, losses = [r["step"] for r in trained], [r["loss"] for r in trained]
    thin, thick = dict(color=BLUE, width=1), dict(color=BLUE, width=2.2)
    found = [
        dict(x=steps, y=losses, mode="lines", line=thin, opacity=0.3, hoverinfo="skip", showlegend=False),
        dict(x=steps, y=smoothed(losses), name=say("train", language), mode="lines", line=thick),
        dict(
            x=[r["step"] for r in measured],
            y=[r["val_loss"] for r in measured],
            name=say("validation", language),
            mode="lines+markers",
            line=dict(color=VERMILION, width=1.6),
            marker=dict(size=6),
        ),
    ]
    if measured:
        best = min(measured, key=lambda r: r["val_loss"])
        ring = dict(symbol="circle-open", size=14, color=GOLD, line=dict(width=2.4))
        found.append(
            dict(x=[best["step"]], y=[best["val_loss"]], name=say("best", language), mode="markers",
                 marker=ring, hoverinfo="skip")
        )  # fmt: skip
    return found


def _plotly() -> str:
    """Plotly's own script; found by the package's record of files, for `lm` does not import plotly."""
    try:
        script = Path(str(importlib.metadata.distribution("plotly").locate_file(PLOTLY))).read_text(encoding="utf-8")
    except (importlib.metadata.PackageNotFoundError, OSError):
        raise RunError(
            "the report needs the package plotly for its chart; install it with `pip install plotly`"
        ) from None
    return script.replace("</script", "<\\/script")


def _script(value: Any) -> str:
    """JSON that may stand inside a script element."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")


def _sample(sample: Mapping[str, Any], language: str) -> str:
    return (
        f'<p class="lead">{say("at", language, step=sample["step"])}</p>\n'
        f"<pre><b>{html.escape(sample['prompt'])}</b>{html.escape(sample['text'])}</pre>"
    )


def _losses(records: list[dict[str, Any]], language: str) -> str:
    """The measured losses as a table, the latest first: what the chart says, for who does not see it."""
    names = [say(name, language) for name in ("step", "train", "validation", "bits")]
    heads = "".join(f'<th scope="col">{name}</th>' for name in names)
    rows = (
        f'<tr><th scope="row">{one["step"]:,}</th><td>{one["train_loss"]:.4f}</td>'
        f"<td>{one['val_loss']:.4f}</td><td>{one['val_bits_per_byte']:.4f}</td></tr>"
        for one in reversed(records)
        if "val_loss" in one
    )
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _table(rows: Mapping[str, Any]) -> str:
    cells = (
        f'<tr><th scope="row">{html.escape(name)}</th><td>{html.escape(str(value).replace("`", ""))}</td></tr>'
        for name, value in rows.items()
    )
    return f"<table>{''.join(cells)}</table>"
