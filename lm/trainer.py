"""The training loop: batch → forward → loss → backward → clip → step → log, and an evaluation now and then.

The loop writes the run directory and nothing else; whoever watches reads it there. Promises, each held by a test: the
same seed gives the same run bit for bit on one CPU; a run that was interrupted at any instant and resumed is the run that
was never interrupted; evaluating more or less often does not change what is learnt. (A run limited by minutes follows
the clock, and no two clocks agree: there the promise is only that nothing is lost.)

Not covered: fp16.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

from lm import batches, checkpoint, run_dir
from lm.config import SampleConfig
from lm.device import autocast
from lm.ending import alive, forget_old_stop, not_a_number, recording_failure, signals_as_stop
from lm.errors import TrainingError
from lm.evaluate import evaluate
from lm.generate import first_words, generate
from lm.optim import make_optimizers, scheduled, set_lr
from lm.prepare import Request, Setup, extend, first_model, load, prepare
from lm.run_dir import RunDir, Status
from lm.team import ALONE, Team
from lm.tokenizer import Tokenizer, load_tokenizer
from lm.track import followed

# Automatic evaluations happen when these shares of the run are done: dense at first, where the loss falls fastest.
MILESTONES = (0.01, 0.025, *(n / 20 for n in range(1, 21)))
# In a run limited by minutes one second of evaluation is followed by this many of training, at the least. assumed.
TRAINING_PER_EVALUATION = 6.0
HEARTBEAT_SECONDS = 0.5
AUTOMATIC_SAVE_SECONDS = 15.0  # assumed: what a person does not mind to lose

Record = dict[str, Any]


def train(
    run: RunDir,
    request: Request | None = None,
    *,
    limits: dict[str, Any] | None = None,
    on_record: Callable[[Record, Status], None] = lambda record, status: None,
    say: Callable[[str], None] = lambda text: None,
    team: Team = ALONE,
) -> Record:
    """Train `run` to its end, from a request or from where it stopped, and return its result.

    `limits` replaces the length of a resumed run (`steps`, `minutes`, `epochs`). Whatever ends the run early, its
    status says so: an `LMError` keeps its words, a bug keeps its traceback in the log.
    """
    with run_dir.owned(run), recording_failure(run):
        forget_old_stop(run)
        before = run_dir.read_status(run)
        run_dir.write_status(run, alive(before, "starting"))
        if request is not None:
            setup = prepare(run, request, say)
        else:
            setup = extend(run, limits) if limits else load(run)
        with signals_as_stop(run), followed(run, setup.train.track, say):
            team.share(str(run.path.resolve()))
            return Trainer(run, setup, on_record, say, team).run()


class Trainer:
    """One training in progress: the model, its optimizers, where it is and how well it did."""

    def __init__(
        self,
        run: RunDir,
        setup: Setup,
        on_record: Callable[[Record, Status], None] = lambda record, status: None,
        say: Callable[[str], None] = lambda text: None,
        team: Team = ALONE,
    ) -> None:
        self.directory, self.setup, self.config = run, setup, setup.train
        self.on_record, self.say, self.team = on_record, say, team
        torch.set_num_threads(max(1, setup.threads // team.size))
        torch.manual_seed(self.config.seed)  # weights and dropout; batches draw from a generator of their own
        self.tokenizer: Tokenizer = load_tokenizer(run.tokenizer)
        self.model = first_model(run, setup).to(setup.device)
        self.optimizers = make_optimizers(self.model, self.config, setup.precision)
        self.train_tokens = batches.open_tokens(run.train_tokens, setup.model.vocab_size)
        self.val_tokens = batches.open_tokens(run.val_tokens, setup.model.vocab_size)
        self.batches = batches.make_windows(self.train_tokens, setup.model.block_size, self.config)
        self.step_tokens = self.batches.batch_size * setup.model.block_size
        self.max_steps = self._step_limit()
        self.windows = batches.evaluation_windows(
            len(self.val_tokens), setup.model.block_size, self.config.eval_windows
        )
        self.train_windows = batches.evaluation_windows(
            len(self.train_tokens), setup.model.block_size, self.config.eval_windows or len(self.windows)
        )
        self.step, self.trained_tokens = 0, 0
        self.best_loss, self.best_step = math.inf, 0
        self.patience_loss, self.stale_evaluations = math.inf, 0
        self.last_evaluation: Record = {}
        self._elapsed_before, self._started = 0.0, time.perf_counter()
        self._saved_at = self._beat_at = -math.inf
        self._evaluated_at = self._evaluation_seconds = 0.0
        self._speed_tokens, self._speed_seconds, self.tokens_per_second = 0, 0.0, 0.0

    # ------------------------------------------------------------------------------------------ the loop

    def run(self) -> Record:
        """Train until a limit, patience or a stop request ends it."""
        self._restore()
        self._started = time.perf_counter()
        if self.step == 0:
            self._log(self._position() | self._timed_evaluation())
        state, done = "running", self.progress()
        while state == "running" and done < 1.0:
            started, done_before = time.perf_counter(), done
            scale = scheduled(self.config, self.step, self.max_steps, self.progress(steps_ahead=1))
            loss, grad_norm = self._optimize(self.team.lead(scale))
            done = self.progress()
            is_evaluated = self._is_evaluation_due(done_before, done)
            is_logged = is_evaluated or self.step % self.config.log_interval == 0
            record = self._position()
            if is_logged:
                record |= self._finite(loss, grad_norm)  # waits for the device, so the clock below is right
            self._measure_speed(time.perf_counter() - started)
            if is_evaluated:
                record |= self._timed_evaluation()
            if self._has_ended_epoch():
                self._sample(at="epochs")
            if is_logged:
                self._log(record)
            if self._is_save_due(is_evaluated):
                self._save()
            state = self._state()
        return self._finish("finished" if state == "running" else state)

    def follow(self) -> None:
        """Take part in every step of another process, which leads."""
        self._restore()
        torch.manual_seed(self.config.seed + self.team.rank + self.step)  # dropout of its own
        while (scale := self.team.hear()) is not None:
            self._optimize(scale)

    def _optimize(self, scale: float) -> tuple[torch.Tensor, torch.Tensor]:
        """One optimizer step over one batch, in `grad_accum_steps` parts; the mean loss and the gradient's length."""
        set_lr(self.optimizers, scale)
        ids, targets = next(self.batches)  # (B, T) each
        parts, smoothing = self.setup.grad_accum_steps, self.config.label_smoothing
        total = torch.zeros((), device=self.setup.device)
        for x, y in zip(*(self.team.rows(rows).chunk(parts) for rows in (ids, targets))):
            x, y = x.to(self.setup.device, non_blocking=True), y.to(self.setup.device, non_blocking=True)
            with autocast(self.setup.device, self.setup.precision):
                logits = self.model(x)  # (B / parts, T, V)
            loss = F.cross_entropy(logits.float().flatten(0, 1), y.flatten(), label_smoothing=smoothing)
            share = x.shape[0] / ids.shape[0]
            ((loss + self.config.balance_weight * self.model.balance_loss()) * share).backward()
            total += loss.detach() * share
        self.team.add(self.model.parameters(), total)
        grad_norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.grad_clip or math.inf)
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        self.step += 1
        self.trained_tokens += ids.numel()
        return total, grad_norm

    def _timed_evaluation(self) -> Record:
        started = self.elapsed()
        measured = self._evaluate()
        self._evaluated_at = self.elapsed()
        self._evaluation_seconds = self._evaluated_at - started
        return measured

    def _evaluate(self) -> Record:
        """Write a sample, measure, keep the best weights, count the patience."""
        self._sample(at="evaluations")
        if not self.windows:
            return {}
        measured = self._measure()
        loss = measured["val_loss"]
        if not math.isfinite(loss):
            raise self._not_finite("validation loss")
        is_best = self.step > 0 and loss < self.best_loss
        if is_best:
            self.best_loss, self.best_step = loss, self.step
            checkpoint.save_model(self.directory.best, self.model, self.tokenizer, step=self.step, val_loss=loss)
        self._count_patience(loss)
        self.last_evaluation = measured
        return measured | dict(is_best=is_best)

    def _measure(self) -> Record:
        """The model on held-out windows, and on as many of the training text; draws nothing, changes nothing."""
        self.model.reset_expert_shares()
        held_out, seen = (
            evaluate(
                self.model, tokens, windows, self.tokenizer.id_sizes(),
                batch_size=max(1, self.config.batch_size // self.setup.grad_accum_steps),
                autocast=autocast(self.setup.device, self.setup.precision), label_smoothing=self.config.label_smoothing,
            )
            for tokens, windows in ((self.val_tokens, self.windows), (self.train_tokens, self.train_windows))
        )  # fmt: skip
        extra = dict(expert_shares=shares) if (shares := self.model.expert_shares()) else {}
        extra |= dict(val_smoothed_loss=held_out.smoothed_loss) if self.config.label_smoothing else {}
        return extra | dict(
            val_loss=held_out.loss,
            train_loss=seen.loss,
            val_perplexity=held_out.perplexity,
            val_bits_per_byte=held_out.bits_per_byte,
        )

    # ------------------------------------------------------------------------------------------ where we are

    def progress(self, steps_ahead: int = 0) -> float:
        """The share of the run that is done: of its steps or of its minutes, whichever is further."""
        by_step = (self.step + steps_ahead) / self.max_steps if self.max_steps else 0.0
        by_clock = self.elapsed() / (60.0 * self.config.minutes) if self.config.minutes else 0.0
        return max(by_step, by_clock)

    def elapsed(self) -> float:
        """Seconds of training so far, those before an interruption included."""
        return self._elapsed_before + time.perf_counter() - self._started

    def seconds_left(self) -> float | None:
        by_clock = [60.0 * self.config.minutes - self.elapsed()] if self.config.minutes else []
        is_known = self.max_steps and self.step and self.elapsed() > 0
        by_step = [(self.max_steps - self.step) * self.elapsed() / self.step] if is_known else []
        return max(0.0, min(by_clock + by_step)) if by_clock + by_step else None

    def _position(self) -> Record:
        return dict(
            step=self.step,
            time_seconds=round(self.elapsed(), 3),
            tokens=self.trained_tokens,
            epoch=round(self.trained_tokens / self.batches.tokens_per_epoch, 6),
        )

    def _is_evaluation_due(self, done_before: float, done: float) -> bool:
        if done >= 1.0:
            return True
        if self.config.eval_interval:
            return self.step % self.config.eval_interval == 0
        is_milestone = any(done_before < milestone <= done for milestone in MILESTONES)
        return is_milestone and not (self.config.minutes and self._is_evaluated_enough())

    def _is_evaluated_enough(self) -> bool:
        """Against the clock, measuring must not eat the time for learning: not on a slow machine, not on a busy one."""
        return self.elapsed() - self._evaluated_at < TRAINING_PER_EVALUATION * self._evaluation_seconds

    def _has_ended_epoch(self) -> bool:
        return self.trained_tokens % self.batches.tokens_per_epoch < self.step_tokens

    def _is_save_due(self, has_evaluated: bool) -> bool:
        if self.config.checkpoint_interval:
            return self.step % self.config.checkpoint_interval == 0
        return has_evaluated and time.perf_counter() - self._saved_at > AUTOMATIC_SAVE_SECONDS

    def _count_patience(self, loss: float) -> None:
        if loss < self.patience_loss - self.config.min_delta:
            self.patience_loss, self.stale_evaluations = loss, 0
        elif self.step >= self.config.min_steps:
            self.stale_evaluations += 1

    def _state(self) -> str:
        """Whether to go on after this step, and if not, as what the run ends."""
        if 0 < self.config.patience <= self.stale_evaluations:
            return "finished"
        return "stopped" if self.directory.stop.exists() else "running"

    def _measure_speed(self, seconds: float) -> None:
        """Tokens per second over the recent steps, evaluations left out: a mean that forgets by a tenth a step."""
        self._speed_tokens = 0.9 * self._speed_tokens + self.step_tokens
        self._speed_seconds = 0.9 * self._speed_seconds + seconds
        self.tokens_per_second = self._speed_tokens / self._speed_seconds

    # ------------------------------------------------------------------------------------------ what is written

    def _finite(self, loss: torch.Tensor, grad_norm: torch.Tensor) -> Record:
        """The training numbers of this step; `TrainingError` when the loss or the gradient is not a number any more."""
        values = dict(loss=float(loss), grad_norm=float(grad_norm))
        for name, value in values.items():
            if not math.isfinite(value):
                raise self._not_finite(name.replace("grad_norm", "gradient"))
        lr = max(group["lr"] for optimizer in self.optimizers for group in optimizer.param_groups)
        speed = dict(tokens_per_second=round(self.tokens_per_second, 1)) if self.tokens_per_second else {}
        return values | dict(lr=lr) | speed

    def _not_finite(self, what: str) -> TrainingError:
        return not_a_number(what, self.step, self.best_step, self.config)

    def _log(self, record: Record) -> None:
        run_dir.append_record(self.directory.metrics, record)
        status = self._beat(is_forced="val_loss" in record)
        self.on_record(record, status)

    def _beat(self, state: str = "running", *, is_forced: bool = False) -> Status:
        """Tell the readers that and where we are: at every evaluation, else not more often than they look."""
        status = Status(
            state=state,
            step=self.step,
            max_steps=self.max_steps,
            elapsed_seconds=round(self.elapsed(), 3),
            seconds_left=self.seconds_left() if state == "running" else 0.0,
        )
        if is_forced or time.perf_counter() - self._beat_at > HEARTBEAT_SECONDS:
            self._beat_at = time.perf_counter()
            run_dir.write_status(self.directory, alive(status, state))
        return status

    def _sample(self, at: str) -> None:
        """The same prompt and seed every time: one can watch the text become language."""
        if not self.config.sample_tokens or self.config.sample_at != at:
            return
        tokens = self.val_tokens if len(self.val_tokens) else self.train_tokens
        prompt = self.config.sample_prompt or first_words(tokens, self.tokenizer)
        wanted = SampleConfig(max_new_tokens=self.config.sample_tokens, seed=self.config.seed)
        [sample] = generate(self.model, self.tokenizer, prompt, wanted)
        run_dir.append_record(self.directory.samples, dict(step=self.step, prompt=prompt, text=sample.completion))

    # ------------------------------------------------------------------------------------------ saved and restored

    def _save(self) -> None:
        """`last/` for readers, `resume/` for ourselves: everything that the next step depends on, in one file."""
        val_loss = self.last_evaluation.get("val_loss")
        checkpoint.save_model(self.directory.last, self.model, self.tokenizer, step=self.step, val_loss=val_loss)
        position, generator_state = self.batches.state_dict()
        tensors = checkpoint.flatten_state(self.model, self.optimizers)
        tensors |= {"rng.batches": generator_state, "rng.torch": torch.get_rng_state()}
        if self.setup.device.type == "cuda":
            tensors["rng.cuda"] = torch.cuda.get_rng_state(self.setup.device)
        progress = dict(
            step=self.step,
            trained_tokens=self.trained_tokens,
            elapsed_seconds=self.elapsed(),
            batches=position,
            best_loss=self.best_loss if math.isfinite(self.best_loss) else None,
            best_step=self.best_step,
            patience_loss=self.patience_loss if math.isfinite(self.patience_loss) else None,
            stale_evaluations=self.stale_evaluations,
            last_evaluation=self.last_evaluation,
        )
        checkpoint.save_resume(self.directory, tensors, progress)
        self._saved_at = time.perf_counter()

    def _restore(self) -> None:
        """Go back to the last saved state, if there is one, and drop what was logged after it."""
        saved = checkpoint.load_resume(self.directory)
        if saved is not None:
            tensors, progress = saved
            checkpoint.unflatten_state(tensors, self.model, self.optimizers)
            self.batches.load_state_dict(progress["batches"], tensors["rng.batches"])
            torch.set_rng_state(tensors["rng.torch"])
            if self.setup.device.type == "cuda":
                torch.cuda.set_rng_state(tensors["rng.cuda"], self.setup.device)
            self.step, self.trained_tokens = progress["step"], progress["trained_tokens"]
            self._elapsed_before = progress["elapsed_seconds"]
            losses = (progress["best_loss"], progress["patience_loss"])  # None before the first evaluation
            self.best_loss, self.patience_loss = (math.inf if loss is None else loss for loss in losses)
            self.best_step = progress["best_step"]
            self.stale_evaluations = progress["stale_evaluations"]
            self.last_evaluation = progress["last_evaluation"]
            self.say(f"resumed at step {self.step:,}")
            if "recovery" in progress:
                self.say(progress["recovery"])
        for path in (self.directory.metrics, self.directory.samples) if self.team.rank == 0 else ():
            run_dir.truncate_records(path, self.step if saved is not None else -1)

    def _finish(self, state: str) -> Record:
        self.team.dismiss()
        """Save, say so, and tell the result. A run that was stopped is measured where it is, but not as one of its
        evaluations: gone on with, it is to be the run that never stopped."""
        if state == "stopped" and self.windows:
            self.last_evaluation = self._measure()
        self._save()
        self._beat(state, is_forced=True)
        self.directory.stop.unlink(missing_ok=True)
        seconds = self.elapsed()
        return dict(
            run_dir=str(self.directory.path),
            state=state,
            steps=self.step,
            elapsed_seconds=round(seconds, 3),
            tokens_per_second=round(self.trained_tokens / seconds, 1) if seconds else 0.0,
            parameters=self.model.parameter_count(),
            train_loss=self.last_evaluation.get("train_loss"),
            val_loss=self.last_evaluation.get("val_loss"),
            val_perplexity=self.last_evaluation.get("val_perplexity"),
            val_bits_per_byte=self.last_evaluation.get("val_bits_per_byte"),
            best_step=self.best_step or None,
            best_val_loss=self.best_loss if self.best_step else None,
        )

    # ------------------------------------------------------------------------------------------ what it is made of

    def _step_limit(self) -> int:
        """The smaller of `steps` and `epochs` in steps; 0 when only the clock ends the run."""
        by_epochs = math.ceil(self.config.epochs * self.batches.tokens_per_epoch / self.step_tokens)
        return min((limit for limit in (self.config.steps, by_epochs) if limit), default=0)
