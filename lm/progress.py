"""Where a training is: how many steps, tokens and seconds have gone by, how well it did, and what is due now.

`Progress` counts; `Standing` compares evaluations. Both go into the resume state as plain numbers, so a run that was
interrupted counts on from where it was. Neither touches a tensor or a file.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lm.config import TrainConfig

# Automatic evaluations happen when these shares of the run are done: dense at first, where the loss falls fastest.
MILESTONES = (0.01, 0.025, *(n / 20 for n in range(1, 21)))
# In a run limited by minutes one second of evaluation is followed by this many of training, at the least. assumed.
TRAINING_PER_EVALUATION = 15.0
SPEED_MEMORY = 0.9  # of one step, in the mean of recent speeds


class Progress:
    """The odometer of one training: `step_tokens` a step, `epoch_tokens` a pass over the text."""

    def __init__(self, config: TrainConfig, step_tokens: int, epoch_tokens: int) -> None:
        self.config, self.step_tokens, self.epoch_tokens = config, step_tokens, epoch_tokens
        self.step, self.tokens, self.tokens_per_second = 0, 0, 0.0
        self.max_steps = self._step_limit()
        self._seconds_before, self._started = 0.0, time.perf_counter()
        self._evaluated_at = self._evaluation_seconds = 0.0
        self._speed_tokens = self._speed_seconds = 0.0
        self.start_watch()

    def _step_limit(self) -> int:
        """The smaller of `steps` and `epochs` in steps; 0 when only the clock ends the run."""
        by_epochs = math.ceil(self.config.epochs * self.epoch_tokens / self.step_tokens)
        return min((limit for limit in (self.config.steps, by_epochs) if limit), default=0)

    def start_clock(self) -> None:
        """Count seconds from now on."""
        self._started = time.perf_counter()

    def elapsed(self) -> float:
        """Seconds of training so far, those before an interruption included."""
        return self._seconds_before + time.perf_counter() - self._started

    def keep_clock(self, seconds: float) -> None:
        """Set the time that has gone by, after a return to an earlier step: the clock does not go back with it."""
        self._seconds_before = seconds
        self.start_clock()

    def count_step(self) -> None:
        self.step += 1
        self.tokens += self.step_tokens

    def share(self, steps_ahead: int = 0) -> float:
        """The share of the run that is done: of its steps or of its minutes, whichever is further."""
        by_step = (self.step + steps_ahead) / self.max_steps if self.max_steps else 0.0
        by_clock = self.elapsed() / (60.0 * self.config.minutes) if self.config.minutes else 0.0
        return max(by_step, by_clock)

    def seconds_left(self) -> float | None:
        """Estimated by the run's minutes and by the mean time of a step, the sooner end; None when neither is known."""
        by_clock = [60.0 * self.config.minutes - self.elapsed()] if self.config.minutes else []
        is_known = self.max_steps and self.step and self.elapsed() > 0
        by_step = [(self.max_steps - self.step) * self.elapsed() / self.step] if is_known else []
        return max(0.0, min(by_clock + by_step)) if by_clock + by_step else None

    def record(self) -> dict[str, Any]:
        """What every line of metrics.jsonl begins with."""
        return dict(
            step=self.step,
            time_seconds=round(self.elapsed(), 3),
            tokens=self.tokens,
            epoch=round(self.tokens / self.epoch_tokens, 6),
        )

    def has_ended_epoch(self) -> bool:
        """Whether the last step crossed the end of a pass over the text."""
        return self.tokens % self.epoch_tokens < self.step_tokens

    def start_watch(self) -> None:
        """Measure the speed from here on."""
        self._watched_tokens, self._watched_since = self.tokens, time.perf_counter()

    def measure_speed(self, tokens: int) -> None:
        """Tokens per second over the recent steps, now that the device has done those up to `tokens`, of which it may
        have been given several at once; without the time in which it was `otherwise_busy`."""
        now, new = time.perf_counter(), tokens - self._watched_tokens
        kept = SPEED_MEMORY ** (new / self.step_tokens)
        self._speed_tokens = kept * self._speed_tokens + new
        self._speed_seconds = kept * self._speed_seconds + now - self._watched_since
        self.tokens_per_second = self._speed_tokens / self._speed_seconds
        self._watched_tokens, self._watched_since = tokens, now

    @contextmanager
    def otherwise_busy(self) -> Iterator[None]:
        """Inside, time passes that is no training: an evaluation, a sample, a checkpoint."""
        started = time.perf_counter()
        yield
        self._watched_since += time.perf_counter() - started

    def is_evaluation_due(self, share_before: float, share: float) -> bool:
        """Whether the step that led from one share of the run to the other is one to measure after."""
        if share >= 1.0:
            return True
        if self.config.eval_interval:
            return self.step % self.config.eval_interval == 0
        is_milestone = any(share_before < milestone <= share for milestone in MILESTONES)
        return is_milestone and not (self.config.minutes and self._is_evaluated_enough())

    def has_evaluated(self, started: float) -> None:
        """Remember an evaluation that began when `elapsed()` was `started` and has just ended."""
        self._evaluated_at = self.elapsed()
        self._evaluation_seconds = self._evaluated_at - started

    def _is_evaluated_enough(self) -> bool:
        """Against the clock, measuring must not eat the time for learning: not on a slow machine, not on a busy one, and
        not so soon before the end, where everything is measured again."""
        since, until = self.elapsed() - self._evaluated_at, 60.0 * self.config.minutes - self.elapsed()
        return min(since, until) < TRAINING_PER_EVALUATION * self._evaluation_seconds

    def state_dict(self) -> dict[str, Any]:
        return dict(step=self.step, trained_tokens=self.tokens, elapsed_seconds=self.elapsed())

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        self.step, self.tokens = saved["step"], saved["trained_tokens"]
        self._seconds_before = saved["elapsed_seconds"]
        self.start_clock()


class Standing:
    """The best evaluation so far, and how many in a row have brought no gain: what early stopping looks at."""

    def __init__(self, config: TrainConfig) -> None:
        self.config = config
        self.best_loss, self.best_step = math.inf, 0
        self.patience_loss, self.stale_evaluations = math.inf, 0

    def weigh(self, loss: float, step: int) -> bool:
        """Take in the evaluation of `step`; whether it is the best so far. Untrained weights never are."""
        is_best = step > 0 and loss < self.best_loss
        if is_best:
            self.best_loss, self.best_step = loss, step
        if loss < self.patience_loss - self.config.min_delta:
            self.patience_loss, self.stale_evaluations = loss, 0
        elif step >= self.config.min_steps:
            self.stale_evaluations += 1
        return is_best

    def has_run_out(self) -> bool:
        """Whether `patience` evaluations in a row have brought no gain."""
        return 0 < self.config.patience <= self.stale_evaluations

    def state_dict(self) -> dict[str, Any]:
        return dict(
            best_loss=self.best_loss if math.isfinite(self.best_loss) else None,
            best_step=self.best_step,
            patience_loss=self.patience_loss if math.isfinite(self.patience_loss) else None,
            stale_evaluations=self.stale_evaluations,
        )

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        losses = (saved["best_loss"], saved["patience_loss"])  # None before the first evaluation
        self.best_loss, self.patience_loss = (math.inf if loss is None else loss for loss in losses)
        self.best_step, self.stale_evaluations = saved["best_step"], saved["stale_evaluations"]
