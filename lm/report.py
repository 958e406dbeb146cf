"""A run → one HTML page: what it is, its curve to zoom into, its samples, its settings. It asks nothing of any network.

Plotly's script is copied into the page from the installed package (4.8 MB), and a content security policy forbids the
page to fetch anything, so it can be mailed, archived and opened anywhere. Not covered: what only the live page can
show.
"""

from __future__ import annotations

import html
import importlib.metadata
import json
import string
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lm import card, run_dir
from lm.errors import RunError
from lm.figure import BLUE, GOLD, VERMILION, smoothed
from lm.run_dir import RunDir

PLOTLY = "plotly/package_data/plotly.min.js"

PAGE = string.Template("""\
<!doctype html>
<html lang="en">
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
th { font-weight: 400; color: var(--soft); white-space: nowrap; width: 14rem; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; background: var(--panel); border: 1px solid var(--line);
  border-radius: 8px; padding: .75rem 1rem; font: 14px/1.6 "IBM Plex Mono", ui-monospace, monospace; }
pre b { font-weight: 600; color: var(--soft); }
</style>
</head>
<body>
<h1>$title</h1>
<p class="lead">$lead</p>
<h2>Loss</h2>
<div id="chart" role="img" aria-label="Training and validation loss over the steps"></div>
<h2>Evaluation</h2>
$evaluation
<p>$method</p>
<h2>Samples</h2>
$samples
<h2>Training</h2>
$training
<h2>The text</h2>
$corpus
<h2>Again</h2>
<pre>$command</pre>
<script>$plotly</script>
<script>
const ink = getComputedStyle(document.documentElement).getPropertyValue("--ink").trim();
const line = getComputedStyle(document.documentElement).getPropertyValue("--line").trim();
const axis = (title) => ({title: {text: title}, gridcolor: line, zeroline: false, linecolor: line});
Plotly.newPlot("chart", $traces, {
  margin: {l: 56, r: 16, t: 16, b: 44}, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
  font: {color: ink}, hovermode: "x unified",
  legend: {orientation: "h", x: 1, xanchor: "right", y: 1.02, yanchor: "bottom"},
  xaxis: axis("step"), yaxis: axis("loss (nats per token)"),
}, {responsive: true, displaylogo: false});
</script>
</body>
</html>
""")


def write(run: RunDir, to: Path) -> None:
    """Write the report of `run` as the page `to`, whole or not at all; `RunError` if the run has no settings yet."""
    try:
        run_dir.write_whole(Path(to), page(run).encode("utf-8"))
    except OSError as error:
        raise RunError(f"cannot write {to}: {error.strerror}; free some space or choose another place") from None


def page(run: RunDir) -> str:
    """The report as HTML; `RunError` if the settings are damaged."""
    with run_dir.explaining_damage(run.config):
        return _page(run)


def _page(run: RunDir) -> str:
    said, records = run_dir.read_json(run.config), run_dir.read_metrics(run.path)[0]
    written = card.samples(run)
    best = run_dir.best_record(run)
    lead = (
        f"{said['parameters']:,} parameters ({said['model']['arch']}) on {said['corpus']['name']}: {run_dir.state(run)}"
    )
    return PAGE.substitute(
        title=html.escape(run.name),
        lead=html.escape(lead),
        evaluation=_table(card.evaluation_rows(best)),
        method=html.escape(card.method(said)),
        samples="\n".join(map(_sample, written)) or "<p>None were written.</p>",
        training=_table(card.training_rows(said, records)),
        corpus=_table(card.corpus_rows(said)),
        command=html.escape(card.command(run, said)),
        plotly=_plotly(),
        traces=_script(traces(records)),
    )


def traces(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The curves as Plotly takes them: training raw and smoothed, validation, its best."""
    trained = [r for r in records if "loss" in r]
    measured = [r for r in records if "val_loss" in r]
    steps, losses = [r["step"] for r in trained], [r["loss"] for r in trained]
    thin, thick = dict(color=BLUE, width=1), dict(color=BLUE, width=2.2)
    found = [
        dict(x=steps, y=losses, mode="lines", line=thin, opacity=0.3, hoverinfo="skip", showlegend=False),
        dict(x=steps, y=smoothed(losses), name="training", mode="lines", line=thick),
        dict(
            x=[r["step"] for r in measured],
            y=[r["val_loss"] for r in measured],
            name="validation",
            mode="lines+markers",
            line=dict(color=VERMILION, width=1.6),
            marker=dict(size=6),
        ),
    ]
    if measured:
        best = min(measured, key=lambda r: r["val_loss"])
        ring = dict(symbol="circle-open", size=14, color=GOLD, line=dict(width=2.4))
        found.append(
            dict(x=[best["step"]], y=[best["val_loss"]], name="best", mode="markers", marker=ring, hoverinfo="skip")
        )
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


def _sample(sample: Mapping[str, Any]) -> str:
    return (
        f'<p class="lead">Step {sample["step"]:,}</p>\n'
        f"<pre><b>{html.escape(sample['prompt'])}</b>{html.escape(sample['text'])}</pre>"
    )


def _table(rows: Mapping[str, Any]) -> str:
    cells = (
        f"<tr><th>{html.escape(name)}</th><td>{html.escape(str(value).replace('`', ''))}</td></tr>"
        for name, value in rows.items()
    )
    return f"<table>{''.join(cells)}</table>"
