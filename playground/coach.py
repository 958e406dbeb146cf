"""The coach: what a teacher who looks at the run would say, drawn from its curve and its set-up alone.

Pure functions: a `Curve`, what `views.description` says of the run and how far it is → `Remark`s, the most urgent first.
Each rule looks for one thing and stays silent on a run that learns well; its words stand in `playground.words.live`.
Costs the same for a long run as for a short one: a tick asks on every page.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from playground.views import Curve

# Every threshold is assumed, between two runs on which it was looked at: the quick start on the shipped tales, which
# learns well, and a run that was spoilt on purpose in the way that the rule is about.
PARTED_EVALUATIONS = 4  # without a gain on unseen text,
PARTED_NATS = 0.02  # and this much above the best, while the learnt text goes on falling
PLATEAU_EVALUATIONS = 6  # at least, in
PLATEAU_SPAN = 0.25  # of the steps so far, that brought less than
PLATEAU_GAIN = 0.003  # of the loss
SPIKE_POINTS, SPIKE_BEFORE = 400, 15  # the points that are looked at, and those that say what was to be expected
SPIKE_NATS, SPIKE_SPREADS = 0.6, 8.0  # a jump above it, in nats and in mean deviations of those before
SPIKES = 2  # one heals by itself
RISEN_POINTS, RISEN_NATS = 10, 0.15  # the mean of so many last losses lies so much above that of the first
STEEP_TIMES, STEEP_NATS = 20.0, 0.3  # the gradient's length over its median, with a loss so much above its lowest
LINEAR_SHARE, LINEAR_NATS = 0.4, 0.05  # what the last quarter gained, as a share of the first one's
NEARLY_DONE = 0.9
TOKENS_PER_ENTRY = 20  # of the training text for each entry of the vocabulary: below, most entries are met too rarely
TOKENS_PER_PARAMETER = 0.02  # below, the text fits into the weights many times over; Chinchilla's optimum is 20
LEVEL_POINTS = 50
MOST_REMARKS = 2
LOWER_RATE = 1 / 3


@dataclass(frozen=True)
class Remark:
    """`key` of its words, the values in them, and what may be done at once: `stop` or nothing."""

    key: str
    values: dict[str, Any] = field(default_factory=dict)
    action: str = ""


def remarks(curve: Curve, about: dict[str, Any], progress: float | None, is_active: bool) -> list[Remark]:
    """At most `MOST_REMARKS` of what there is to say while it trains, or of what stopped it; `about` may be empty."""
    done = progress or 0.0 if is_active else 1.0
    found = [
        too_high(curve, is_active),
        parted(curve, is_active),
        spiky(curve),
        plateau(curve, is_active and done < NEARLY_DONE),
        too_low(curve, done),
        large_vocabulary(about),
        little_text(about),
    ]
    return [remark for remark in found if remark][:MOST_REMARKS]


def what_next(curve: Curve) -> Remark | None:
    """After the end: whether more time would help, or more text."""
    measured = [record for record in curve.measured if record.get("step")]
    if len(measured) < 3 or parted(curve, False):
        return None
    return Remark("coach.more") if curve.best.get("step") == measured[-1]["step"] else Remark("coach.enough")


# ---------------------------------------------------------------------------------------------- one rule each


def parted(curve: Curve, is_active: bool) -> Remark | None:
    """Unseen text gets worse while the learnt text goes on getting better: it memorises."""
    best = curve.best
    since = [record for record in curve.measured if record.get("step", 0) > best.get("step", 0)]
    if len(since) < PARTED_EVALUATIONS or min(r["val_loss"] for r in since[-2:]) < best["val_loss"] + PARTED_NATS:
        return None
    if _learnt(since[-1]) >= _learnt(best):
        return None
    key = "coach.parted" if is_active else "coach.had_parted"
    return Remark(key, dict(step=best["step"]), "stop" if is_active else "")


def plateau(curve: Curve, is_underway: bool) -> Remark | None:
    """Unseen text has hardly improved for a quarter of the way, and has not got worse either."""
    measured = [record for record in curve.measured if record.get("step")]
    if not is_underway or len(measured) <= PLATEAU_EVALUATIONS or parted(curve, True):
        return None
    border = (1 - PLATEAU_SPAN) * measured[-1]["step"]
    late = [record["val_loss"] for record in measured if record["step"] > border]
    early = [record["val_loss"] for record in measured if record["step"] <= border]
    if len(late) < PLATEAU_EVALUATIONS or not early or min(early) - min(late) > PLATEAU_GAIN * min(early):
        return None
    step = max(record["step"] for record in measured if record["step"] <= border)
    return Remark("coach.plateau", dict(step=step), "stop")


def spiky(curve: Curve) -> Remark | None:
    """The training loss jumps up, again and again."""
    points = curve.train[-SPIKE_POINTS:]
    at, losses = [], [loss for _, loss in points]
    for i in range(SPIKE_BEFORE, len(losses)):
        if losses[i] - losses[i - 1] < SPIKE_NATS:
            continue
        before = losses[i - SPIKE_BEFORE : i]
        usual = statistics.median(before)
        spread = statistics.fmean(abs(loss - usual) for loss in before)
        if losses[i] - usual > max(SPIKE_NATS, SPIKE_SPREADS * spread):
            at.append(points[i][0])
    return Remark("coach.spikes", dict(n=len(at), step=at[-1])) if len(at) >= SPIKES else None


def too_high(curve: Curve, is_active: bool) -> Remark | None:
    """The loss rises instead of falling, or the gradient explodes and takes the loss along."""
    if len(curve.train) < 3 * RISEN_POINTS:
        return None
    now, first = _mean(curve.train[-RISEN_POINTS:]), _mean(curve.train[:3])
    lowest = min(_level(curve, quarter / 8) for quarter in range(1, 9))
    if now < first + RISEN_NATS and not (_is_steep(curve) and now > lowest + STEEP_NATS):
        return None
    rate = max((meter.lr for meter in curve.meters[-SPIKE_POINTS:] if meter.lr), default=0.0)
    return Remark(
        "coach.too_high", dict(lr=f"{rate:.1g}", lower=f"{rate * LOWER_RATE:.1g}"), "stop" if is_active else ""
    )


def too_low(curve: Curve, done: float) -> Remark | None:
    """Near the end the loss still falls as it did at the beginning: the steps are too small, or too few."""
    if done < NEARLY_DONE or len(curve.train) < 3 * RISEN_POINTS:
        return None
    first = _mean(curve.train[:3]) - _level(curve, 0.25)
    last = _level(curve, 0.75) - _level(curve, 1.0)
    return Remark("coach.too_low") if last > max(LINEAR_NATS, LINEAR_SHARE * first) else None


def large_vocabulary(about: dict[str, Any]) -> Remark | None:
    """The tokenizer has more entries than this text can teach."""
    tokens, entries = about.get("train_tokens"), about.get("vocab_size")
    if not (tokens and entries) or tokens / entries >= TOKENS_PER_ENTRY:
        return None
    return Remark("coach.vocabulary", dict(tokens=tokens, entries=entries, each=tokens / entries))


def little_text(about: dict[str, Any]) -> Remark | None:
    """The model is so large for this text that it can learn it by heart."""
    tokens, parameters = about.get("train_tokens"), about.get("parameters")
    if not (tokens and parameters) or tokens / parameters >= TOKENS_PER_PARAMETER:
        return None
    return Remark("coach.little_text", dict(tokens=tokens, parameters=parameters))


# ---------------------------------------------------------------------------------------------- levels of a curve


def _mean(points: Sequence[tuple[int, float]]) -> float:
    return statistics.fmean(loss for _, loss in points)


def _level(curve: Curve, share: float) -> float:
    """The mean training loss over a few steps that end where `share` of those so far is done."""
    end = max(1, round(share * len(curve.train)))
    size = min(LEVEL_POINTS, max(5, len(curve.train) // 20))
    return _mean(curve.train[max(0, end - size) : end])


def _is_steep(curve: Curve) -> bool:
    """Whether the gradient is many times as long as it was on the way."""
    every = max(1, len(curve.meters) // SPIKE_POINTS)
    lengths = [meter.grad_norm for meter in curve.meters[::every] if meter.grad_norm is not None]
    latest = [meter.grad_norm for meter in curve.meters[-RISEN_POINTS:] if meter.grad_norm is not None]
    return bool(lengths and latest) and statistics.median(latest) > STEEP_TIMES * statistics.median(lengths)


def _learnt(record: dict[str, Any]) -> float:
    """The loss on the learnt text at an evaluation; where it was not measured, it counts as falling."""
    return record.get("train_loss", -record["step"])
