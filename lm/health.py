"""Whether a training still learns, and what to do when it does not: stop, or go back and take smaller steps.

`Health` looks at the loss and the gradient of every logged step, and finds two faults that no further step repairs: a
number that is none any more, and an explosion, a loss of more than `EXPLODED` times ln V on `EXPLODED_STEPS` logged steps
in a row, where ln V is what a model scores that knows nothing. One bad step alone is no fault: spikes heal.

Not covered: a collapse to what the frequencies of the tokens tell, which is no worse than knowing nothing; patience ends
such a run.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from lm.config import TrainConfig

# Both assumed, between what was measured on a text of 4,000 characters: with rates that learn, Muon's too, no training
# loss exceeded 1.01 times ln V; a bigram at a rate of 10 rose to 2.5 times ln V for few steps and learnt; networks at
# rates of 1 to 10 stayed between 3 and 900 times ln V for dozens of steps and did not come back to what they knew.
EXPLODED = 2.0
EXPLODED_STEPS = 10
ROLLBACK_FACTOR = 0.5
MOST_ROLLBACKS = 6  # assumed: a rate that is still too high at a 64th is not what is wrong
LEAST_LOSS_SCALE = 1.0  # in fp16: gradients that overflow even unscaled are no matter of the scale
LOWER_RATE = 1 / 3  # of the rate that diverged, for the next attempt. assumed


class Diverged(Exception):
    """A training that no further step repairs; the trainer catches it, and goes back or ends."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


class Health:
    """What the last logged steps of a training over `vocab_size` tokens looked like."""

    def __init__(self, vocab_size: int) -> None:
        self.highest_loss = EXPLODED * math.log(vocab_size)
        self.bad_steps = 0

    def check(self, loss: float, grad_norm: float) -> None:
        """Look at one step; `Diverged` says what is wrong with the training."""
        check_number("loss", loss)
        check_number("gradient", grad_norm)
        self.bad_steps = self.bad_steps + 1 if loss > self.highest_loss else 0
        if self.bad_steps >= EXPLODED_STEPS:
            raise Diverged(f"loss exploded: it was above {self.highest_loss:.1f} for {EXPLODED_STEPS} logged steps")

    @property
    def is_good(self) -> bool:
        """Whether a state as it is now is one to come back to."""
        return self.bad_steps == 0

    def state_dict(self) -> dict[str, Any]:
        return dict(bad_steps=self.bad_steps)

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        self.bad_steps = saved.get("bad_steps", 0)  # a run of before there was this


def check_number(name: str, value: float) -> None:
    """`Diverged` if it is infinite or not a number."""
    if not math.isfinite(value):
        raise Diverged(f"{name} became infinite or not a number")


def check_tensors(tensors: Mapping[str, Tensor]) -> None:
    """`Diverged` names the first tensor that holds a number which is none."""
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise Diverged(f"{name} became infinite or not a number")


def last_words(
    fault: Diverged, name: str, step: int, saved_step: int | None, config: TrainConfig, rollbacks: int
) -> str:
    """What ended the run `name` at `step`, what is kept of it, and what to do."""
    lower = ROLLBACK_FACTOR**rollbacks * LOWER_RATE
    rates = f"--lr {config.lr * lower:.1g}"
    if config.optimizer == "muon":
        rates += f" --muon-lr {config.muon_lr * lower:.1g}"
    if config.embedding_lr:
        rates += f" --embedding-lr {config.embedding_lr * lower:.1g}"
    said = f"the {fault.what}, at step {step}"
    if saved_step is None:
        return f"{said}, before a state to go on from was saved. Train again with {rates}"
    if config.on_nan == "rollback":
        said += f", after {rollbacks} rollbacks to ever lower rates"
    else:
        rates += f", or go on from there at half the rate with `lm resume {name} --on-nan rollback`"
    return f"{said}. The last good state, of step {saved_step}, is kept. Train again with {rates}"
