"""The training loop: batch → forward → loss → backward → clip → step → log, and an evaluation now and then.

The loop writes the run directory and nothing else; whoever watches reads it there. Promises, each held by a test: the
same seed gives the same run bit for bit on one CPU; a run that was interrupted at any instant and resumed is the run
that was never interrupted; evaluating more or less often does not change what is learnt. (A run limited by minutes
follows the clock, and no two clocks agree: there the promise is only that nothing is lost.) A state that is saved is a
good one: every number in it is finite, and the loss is not on its way up (`lm.health`).

In fp16 the loss is scaled up before the backward pass, so that small gradients survive, and a step whose gradients then
overflow is left out (Micikevicius et al. 2018); PyTorch's `GradScaler` finds the scale, which is saved with the run.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from typing import Any, NamedTuple

import torch

from lm import batches, checkpoint, health, run_dir, state
from lm.compiled import Objective, compiled, is_wanted, objective
from lm.device import MAIN_MEMORY, free_bytes, onto
from lm.ending import alive, forget_old_stop, recording_failure, signals_as_stop
from lm.errors import TrainingError
from lm.health import Diverged, Health
from lm.heap import keep_freed_memory
from lm.memory import needed_bytes
from lm.model import GPT
from lm.observe import Observer
from lm.optim import Together, make_optimizers, scheduled, set_lr
from lm.prepare import Request, Setup, extend, first_model, load, prepare
from lm.progress import Progress, Standing
from lm.recompute import recompute
from lm.run_dir import RunDir, Status
from lm.shard import shard, whole, whole_model
from lm.stages import Keeper
from lm.team import ALONE, END, GO_BACK, SAVE, SHOW, Team
from lm.threads import considerate
from lm.tokenizer import Tokenizer, load_tokenizer
from lm.track import followed

HEARTBEAT_SECONDS = 0.5
AUTOMATIC_SAVE_SECONDS = 15.0  # assumed: what a person does not mind to lose
MEASURED = ("train_loss", "val_loss", "val_perplexity", "val_bits_per_byte")  # what a result tells of an evaluation

Record = dict[str, Any]


class Taken(NamedTuple):
    """A step that the device may still be computing: how its line begins, its mean loss, its gradient's length, the
    rate of the matrices."""

    record: Record
    loss: torch.Tensor
    grad_norm: torch.Tensor
    lr: float


def train(
    run: RunDir,
    request: Request | None = None,
    *,
    changes: dict[str, Any] | None = None,
    on_record: Callable[[Record, Status], None] = lambda record, status: None,
    say: Callable[[str], None] = lambda text: None,
    team: Team = ALONE,
) -> Record:
    """Train `run` to its end, from a request or from where it stopped, and return its result.

    `changes` are what `lm.prepare.extend` lets a resumed run have anew, its length for one. Whatever ends the run
    early, its status says so: an `LMError` keeps its words, a bug keeps its traceback in the log.
    """
    with run_dir.owned(run), recording_failure(run):
        forget_old_stop(run)
        before = run_dir.read_status(run)
        run_dir.write_status(run, alive(before, "starting"))
        if request is not None:
            setup = prepare(run, request, say)
        else:
            setup = extend(run, changes) if changes else load(run)
        with signals_as_stop(run), followed(run, setup.train.track, say):
            team.share(str(run.path.resolve()))
            trainer = Trainer(run, setup, on_record, say, team)
            with considerate() if torch.get_num_threads() > 1 else nullcontext():
                return trainer.run()


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
        self.place = run_dir.identity(run)
        self.on_record, self.say, self.team = on_record, say, team
        self._claim_the_machine()
        self.tokenizer: Tokenizer = load_tokenizer(run.tokenizer)
        self.is_sharded = self.config.shard and team.size > 1
        self.model = self._first_model()
        self.optimizers = make_optimizers(self.model, self.config, setup.precision)
        self.together = self.optimizers[0] if len(self.optimizers) == 1 else Together(self.optimizers)
        self.scaler = torch.amp.GradScaler(setup.device.type, enabled=setup.precision == "fp16")
        train, val = (batches.open_tokens(path, setup.model.vocab_size) for path in (run.train_tokens, run.val_tokens))
        self.batches = batches.make_windows(train, setup.model.block_size, self.config)
        self.is_compiled = not self.is_sharded and is_wanted(self.config.compile, self.model)
        self.objective = self._objective()
        self.observer = Observer(setup, self.tokenizer, train, val)
        self.stages = Keeper(run, train, setup.model.vocab_size)
        step_tokens = self.batches.batch_size * setup.model.block_size
        self.progress = Progress(self.config, step_tokens, self.batches.tokens_per_epoch)
        self.standing, self.health = Standing(self.config), Health(setup.model.vocab_size)
        self.last_evaluation: Record = {}
        self.rollbacks, self.saved_step = 0, None
        self.runs_ahead = setup.device.type != "cpu"
        self._saved_at = self._beat_at = -math.inf

    # ------------------------------------------------------------------------------------------ what it begins with

    def _claim_the_machine(self) -> None:
        """Memory, threads and chance, all of which belong to the whole process."""
        is_here = self.setup.device.type == "cpu"
        keep_freed_memory(needed_bytes(self.setup.model, self.config, self.setup.grad_accum_steps) if is_here else 0)
        torch.set_num_threads(max(1, self.setup.threads // self.team.size))
        torch.manual_seed(self.config.seed)  # weights and dropout; batches draw from a generator of their own

    def _first_model(self) -> GPT:
        """The model before its first step, on its device, or the piece of it that is this process's."""
        model = first_model(self.directory, self.setup)
        if self.config.recompute:
            recompute(model)
        if self.is_sharded:
            return shard(model, self.setup.device, self.setup.precision)
        return model.to(self.setup.device)

    def _objective(self) -> Objective:
        """ids and targets (rows, T) → their mean loss, compiled where that is wanted."""
        loss = objective(self.model, self.setup.device, self.setup.precision, self.config.label_smoothing)
        if not self.is_compiled:
            return loss
        rows = math.ceil(self.batches.batch_size / self.team.size / self.setup.grad_accum_steps)
        return compiled(loss, self.model, rows, self.say)

    # ------------------------------------------------------------------------------------------ the loop

    def run(self) -> Record:
        """Train until a limit, patience or a stop request ends it, going back where it diverges and may go back."""
        if self._restore():
            self.say(f"resumed at step {self.progress.step:,}")
            if damage := checkpoint.damage(self.directory.best):
                self.standing.best_loss = math.inf
                self.say(f"{damage}; the next evaluation writes it anew")
        else:
            self.progress.start_clock()
            self._log(self.progress.record() | self._timed_evaluation())
            if self.config.on_nan == "rollback":
                self._save()
        while True:
            try:
                return self._finish(self._train())
            except Diverged as fault:
                self._go_back(fault)

    def _train(self) -> str:
        """Step after step, until something ends them; as what the run then ends.

        A GPU computes a step while Python goes on. So that it never waits for Python, what a step came to is asked when
        the next one is on its way (`untold`), but for steps after which more happens than the next one.
        """
        end, done, untold = "running", self.progress.share(), None
        self.progress.start_watch()
        while end == "running" and done < 1.0:
            done_before = done
            taken = self._optimize(self.team.lead(self._rate()))
            if untold is not None:
                self._log(self._told(untold))
            done = self.progress.share()
            is_evaluated = self.progress.is_evaluation_due(done_before, done)
            is_logged = is_evaluated or self.progress.step % self.config.log_interval == 0
            is_told_later = is_logged and self.runs_ahead and not (is_evaluated or self._is_on_interval())
            untold = taken if is_told_later else None
            record = self._told(taken) if is_logged and not is_told_later else None
            with self.progress.otherwise_busy():
                self._observe(record, is_evaluated)
            end = self._end()
        if untold is not None:
            self._log(self._told(untold))
        return "finished" if end == "running" else end

    def _observe(self, record: Record | None, is_evaluated: bool) -> None:
        """What happens between two steps: an evaluation, a sample, a line of the log, a state that is saved."""
        if is_evaluated:
            record |= self._timed_evaluation()
        if self.progress.has_ended_epoch() and self.observer.is_sample_due("epochs"):
            self._sample(self._whole())
        if record is not None:
            self._log(record)
        if self._is_save_due(is_evaluated):
            self._save()

    def follow(self) -> None:
        """Take part in every step of another process, which leads."""
        self._join()
        while (said := self.team.hear()) != END:
            if said == GO_BACK:
                self._join()
            elif said == SHOW:
                whole_model(self.model)
            elif said == SAVE:
                state.take(self.model, self.optimizers, self.team)
            else:
                self._optimize(said)

    def _join(self) -> None:
        """Be where the leader is, with a dropout of one's own."""
        torch.manual_seed(self.config.seed + self.team.rank)
        self._restore()

    def _optimize(self, scale: float) -> Taken:
        """One optimizer step over one batch, in `grad_accum_steps` parts. Waits for no GPU."""
        set_lr(self.optimizers, scale)
        self.model.drop(self._dropout())
        ids, targets = self._windows()
        parts = self.setup.grad_accum_steps
        total = torch.zeros((), device=self.setup.device)
        for x, y in zip(*(self.team.rows(rows).chunk(parts) for rows in (ids, targets))):
            x, y = onto(self.setup.device, x), onto(self.setup.device, y)
            loss = self.objective(x, y)  # of B / parts rows
            share = x.shape[0] / ids.shape[0]
            pull = share * self.team.size if self.is_sharded else share  # FSDP takes the mean over the processes
            balance = self.config.balance_weight * self.model.balance_loss()
            self.scaler.scale((loss + balance) * pull).backward()
            total += loss.detach() * share
        self.team.add(() if self.is_sharded else self.model.parameters(), total)
        self.scaler.unscale_(self.together)
        grad_norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.grad_clip or math.inf)
        self.scaler.step(self.together)
        self.scaler.update()
        self.model.zero_grad(set_to_none=True)
        self.progress.count_step()
        lr = self.optimizers[0].param_groups[0]["lr"]
        return Taken(self.progress.record(), total, whole(grad_norm), lr)

    def _windows(self) -> batches.Batch:
        """The next ids and targets, (B, T) each, or (2 B, T/2) in the part of the run that reads short windows (Press et al.
        2021, "Shortformer", call that staged training). For a compiler each shape is another model: there none is short."""
        batch = next(self.batches)
        is_short = not self.is_compiled and self.progress.share() < self.config.short_windows
        return batches.in_halves(batch) if is_short else batch

    def _dropout(self) -> float:
        """What the next step drops: nothing until the text has been read `dropout_after` times (Liu et al. 2023, "Dropout
        Reduces Underfitting", call that late dropout), and more and more over the reading that follows, lest the loss
        jump up. For a compiler each rate is another model: there it never waits."""
        rate, after = self.setup.model.dropout, self.config.dropout_after
        if not after or self.is_compiled:
            return rate
        readings = self.progress.tokens / self.progress.epoch_tokens
        return rate * min(1.0, max(0.0, readings - after))

    def _rate(self) -> float:
        """What the next step multiplies the highest learning rates with."""
        ahead = self.progress.share(steps_ahead=1)
        scale = scheduled(self.config, self.progress.step, self.progress.max_steps, ahead)
        return scale * health.ROLLBACK_FACTOR**self.rollbacks

    def _go_back(self, fault: Diverged) -> None:
        """To the last good state, for another try at half the rate; or the end of the run, where that is not wanted."""
        step = self.progress.step
        if self.config.on_nan != "rollback" or self.rollbacks == health.MOST_ROLLBACKS or self.saved_step is None:
            words = health.last_words(fault, self.directory.name, step, self.saved_step, self.config, self.rollbacks)
            raise TrainingError(words) from fault
        rollbacks, seconds = self.rollbacks + 1, self.progress.elapsed()
        self.team.lead(GO_BACK)
        self._restore()
        self.rollbacks = rollbacks
        self.progress.keep_clock(seconds)
        self._save()  # a run that is interrupted from here on remembers what went wrong
        self.say(f"the {fault.what}, at step {step}: back at step {self.progress.step}, at half the rate")

    # ------------------------------------------------------------------------------------------ what is measured

    def _timed_evaluation(self) -> Record:
        started = self.progress.elapsed()
        measured = self._evaluate()
        self.progress.has_evaluated(started)
        return measured

    def _evaluate(self) -> Record:
        """Write a sample and the embeddings, measure, keep the best weights, count the patience."""
        self._must_be_there()
        model, step = self._whole(), self.progress.step
        self.stages.keep(model, step)
        if self.observer.is_sample_due("evaluations"):
            self._sample(model)
        if not self.observer.can_measure:
            return {}
        measured = self.observer.measure(model)
        is_best = self.standing.weigh(measured["val_loss"], step)
        if is_best:
            checkpoint.save_model(self.directory.best, model, self.tokenizer, step=step, val_loss=measured["val_loss"])
        self.last_evaluation = measured
        return measured | dict(is_best=is_best)

    def _sample(self, model: GPT) -> None:
        run_dir.append_record(self.directory.samples, dict(step=self.progress.step) | self.observer.sample(model))

    def _whole(self) -> GPT:
        """The model in one piece: itself, or a copy to which everyone gives a part."""
        if not self.is_sharded:
            return self.model
        self.team.lead(SHOW)
        return whole_model(self.model)

    def _told(self, taken: Taken) -> Record:
        """What is logged of a step, which is a healthy one. Waits until the device has done it."""
        values = dict(loss=float(taken.loss), grad_norm=float(taken.grad_norm))
        self.progress.measure_speed(taken.record["tokens"])
        if self.scaler.is_enabled():
            values["loss_scale"] = self.scaler.get_scale()
        if values.get("loss_scale", 0.0) >= health.LEAST_LOSS_SCALE and not math.isfinite(values["grad_norm"]):
            values["grad_norm"] = 0.0  # the step was left out, which is how the scaler learns
        self.health.check(values["loss"], values["grad_norm"])
        values |= dict(lr=taken.lr, tokens_per_second=round(self.progress.tokens_per_second, 1))
        return taken.record | values | (dict(rollbacks=self.rollbacks) if self.rollbacks else {})

    # ------------------------------------------------------------------------------------------ what is told

    def _must_be_there(self) -> None:
        """A run whose folder was deleted must not come back as half a one, nor write into another that took its place."""
        if not self.directory.path.is_dir() or run_dir.identity(self.directory) != self.place:
            raise run_dir.gone(self.directory)

    def _log(self, record: Record) -> None:
        self._must_be_there()
        run_dir.append_record(self.directory.metrics, record)
        status = self._beat(is_forced="val_loss" in record)
        self.on_record(record, status)

    def _beat(self, state: str = "running", *, is_forced: bool = False) -> Status:
        """Tell the readers that and where we are: at every evaluation, else not more often than they look."""
        status = Status(
            state=state,
            step=self.progress.step,
            max_steps=self.progress.max_steps,
            elapsed_seconds=round(self.progress.elapsed(), 3),
            seconds_left=self.progress.seconds_left() if state == "running" else 0.0,
        )
        if is_forced or time.perf_counter() - self._beat_at > HEARTBEAT_SECONDS:
            self._beat_at = time.perf_counter()
            run_dir.write_status(self.directory, alive(replace(status, free_bytes=free_bytes(MAIN_MEMORY)), state))
        return status

    def _end(self) -> str:
        """Whether to go on after this step, and if not, as what the run ends."""
        if self.standing.has_run_out():
            return "finished"
        return "stopped" if self.directory.stop.exists() else "running"

    def _finish(self, end: str) -> Record:
        """Save, say so, and tell the result.

        A run that was stopped is measured where it is, but not as one of its evaluations: gone on with, it is to be the
        run that never stopped. Nor is its state kept when its loss is on its way up: the steps since the last good one
        are then done again.
        """
        if end == "stopped" and self.observer.can_measure:
            self.last_evaluation = self.observer.measure(self._whole())
        if end == "finished" or self.health.is_good or self.saved_step is None:
            self._save()
        self.team.lead(END)
        self._beat(end, is_forced=True)
        self.directory.stop.unlink(missing_ok=True)
        seconds = self.progress.elapsed()
        return dict(
            run_dir=str(self.directory.path),
            state=end,
            steps=self.progress.step,
            elapsed_seconds=round(seconds, 3),
            tokens_per_second=round(self.progress.tokens / seconds, 1) if seconds else 0.0,
            parameters=self.model.parameter_count(),
            rollbacks=self.rollbacks,
            **{name: self.last_evaluation.get(name) for name in MEASURED},
            best_step=self.standing.best_step or None,
            best_val_loss=self.standing.best_loss if self.standing.best_step else None,
        )

    # ------------------------------------------------------------------------------------------ saved and restored

    def _is_save_due(self, has_evaluated: bool) -> bool:
        """A state to come back to must be a good one. A run that may go back saves at every evaluation, so that `best/`
        is never from a future that did not happen."""
        if not self.health.is_good:
            return False
        if has_evaluated and self.config.on_nan == "rollback":
            return True
        if self.config.checkpoint_interval:
            return self._is_on_interval()
        return has_evaluated and time.perf_counter() - self._saved_at > AUTOMATIC_SAVE_SECONDS

    def _is_on_interval(self) -> bool:
        interval = self.config.checkpoint_interval
        return interval > 0 and self.progress.step % interval == 0

    def _save(self) -> None:
        """`last/` for readers, `resume/` for ourselves: everything that the next step depends on, in one file."""
        self._must_be_there()
        self.team.lead(SAVE)
        tensors = state.take(self.model, self.optimizers, self.team)
        health.check_tensors(tensors)
        position, tensors["rng.batches"] = self.batches.state_dict()
        numbers = dict(batches=position, last_evaluation=self.last_evaluation, rollbacks=self.rollbacks)
        for part in (self.progress, self.standing, self.health, self.stages):
            numbers |= part.state_dict()
        step, val_loss = self.progress.step, self.last_evaluation.get("val_loss")
        checkpoint.save_model(self.directory.last, self._whole(), self.tokenizer, step=step, val_loss=val_loss)
        checkpoint.save_resume(self.directory, tensors, numbers | dict(scaler=self.scaler.state_dict()))
        self.saved_step, self._saved_at = step, time.perf_counter()

    def _restore(self) -> bool:
        """Go back to the last saved state, if there is one, and drop what was logged after it."""
        saved = checkpoint.load_resume(self.directory)
        if saved is not None:
            tensors, numbers = saved
            for part in (self.progress, self.standing, self.health, self.stages):
                part.load_state_dict(numbers)
            if not state.put(tensors, self.model, self.optimizers, self.team.rank):
                torch.manual_seed(self.config.seed + self.team.rank + self.progress.step)
            self.batches.load_state_dict(numbers["batches"], tensors["rng.batches"])
            if numbers.get("scaler"):
                self.scaler.load_state_dict(numbers["scaler"])
            self.last_evaluation, self.rollbacks = numbers["last_evaluation"], numbers.get("rollbacks", 0)
            self.saved_step = self.progress.step
            if "recovery" in numbers:
                self.say(numbers["recovery"])
        if self.team.rank == 0:
            last_step = self.progress.step if saved is not None else -1
            for path in (self.directory.metrics, self.directory.samples):
                run_dir.truncate_records(path, last_step)
            self.stages.forget_after(last_step)
        return saved is not None
