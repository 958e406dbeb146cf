"""A child of this process: what it says arrives, and whatever becomes of it nobody waits for ever."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import psutil
import pytest
import torch
from models import lively

from lm import forked, generate
from lm.config import PAST_CONTEXT, ModelConfig, SampleConfig
from lm.decode import one_thread
from lm.forked import Child
from lm.model import GPT
from lm.tokenizer import CharTokenizer

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux forks")

CHARACTERS = CharTokenizer("abc def\n日本🎉")
CONTEXT = 48
VARIANTS = {
    "gpt2": {},
    "modern grouped": dict(arch="modern", n_kv_head=2, logit_softcap=4.0),
}
EIGHT = SampleConfig(max_new_tokens=40, temperature=1.0, top_k=0, seed=5, num_samples=8)


@pytest.fixture(autouse=True)
def two_processors(monkeypatch):
    """One child at a time, as on two processors, on a machine with one too; none is left when a test ends.

    The parent's operations take one thread, for the other processors may be busy with other tests.
    """
    monkeypatch.setattr(forked, "_places", threading.BoundedSemaphore(1))
    for module in (forked, generate):
        monkeypatch.setattr(module, "processors", lambda: 2)
    before = psutil.Process().children()  # an app, say, that other tests share
    with one_thread():
        yield
    assert psutil.Process().children() == before


def made(**changes) -> GPT:
    config = ModelConfig(vocab_size=CHARACTERS.vocab_size, block_size=CONTEXT, n_layer=2, n_head=4, n_embd=32)
    return lively(replace(config, **changes), scale=0.3).eval()


def all_of(child: Child, seconds: float = 10.0) -> list[list[int]]:
    found = []
    while rows := child.waiting(seconds):
        found += rows
    return found


def squares(count: int) -> Iterator[list[int]]:
    for i in range(count):
        yield [i, i * i, -i]


# ---------------------------------------------------------------------------------------------- what a child says


@pytest.mark.parametrize("count", [0, 1, 20_000], ids=["nothing", "one", "more than a pipe holds"])
def test_what_a_child_says_arrives_in_its_order(count):
    with Child(squares(count), 3) as child:
        assert all_of(child) == list(squares(count))


def test_a_row_may_be_longer_than_a_pipe():
    row = list(range(30_000))
    with Child(iter([row, row]), len(row)) as child:
        assert all_of(child) == [row, row]


def test_nobody_waits_for_what_has_not_come_yet():
    def slowly() -> Iterator[list[int]]:
        time.sleep(0.3)
        yield [7]

    with Child(slowly(), 1) as child:
        began = time.perf_counter()
        assert child.waiting() == [] and time.perf_counter() - began < 0.2
        assert child.waiting(10) == [[7]]


def test_any_thread_may_have_a_child():
    found = []

    def begin() -> None:
        with Child(squares(3), 3) as child:
            found.extend(all_of(child))

    thread = threading.Thread(target=begin)
    thread.start()
    thread.join()
    assert found == list(squares(3))


def test_a_child_that_fails_has_said_what_it_knew(capfd):
    def failing() -> Iterator[list[int]]:
        yield [1]
        raise RuntimeError("of no interest to anybody")

    with Child(failing(), 1) as child:
        assert all_of(child) == [[1]]
    assert capfd.readouterr() == ("", "")


def test_a_child_that_falls_silent_is_given_up_and_ended():
    def stuck() -> Iterator[list[int]]:
        yield [1]
        threading.Event().wait()

    with Child(stuck(), 1) as child:
        assert all_of(child, seconds=0.2) == [[1]]
        assert psutil.pid_exists(child._pid)
    assert not psutil.pid_exists(child._pid)


def test_there_are_no_more_children_than_processors():
    with Child(squares(1), 3):
        with pytest.raises(BlockingIOError):
            Child(squares(1), 3)
    with Child(squares(1), 3) as child:
        assert all_of(child) == [[0, 0, 0]]


def test_a_system_that_lets_no_process_begin_leaves_nothing_behind(monkeypatch):
    def refuse() -> int:
        raise OSError("no more processes")

    files = len(os.listdir("/proc/self/fd"))
    with monkeypatch.context() as patched:
        patched.setattr(os, "fork", refuse)
        for _ in range(3):
            with pytest.raises(OSError, match="no more processes"):
                Child(squares(1), 3)
    assert len(os.listdir("/proc/self/fd")) == files
    with Child(squares(1), 3) as child:
        assert all_of(child) == [[0, 0, 0]]


# ---------------------------------------------------------------------------------------------- what it leaves alone


def test_a_child_keeps_no_file_or_connection_of_its_parents_open():
    def files() -> Iterator[list[int]]:
        yield [len(os.listdir("/proc/self/fd"))]

    with socket.socket(), open(__file__), Child(files(), 1) as child:
        assert all_of(child) == [[5]]  # standard input, output and error, the pipe, and the folder that is listed


def test_a_signal_to_a_child_is_not_handled_as_its_parents():
    caught = []
    before = signal.signal(signal.SIGTERM, lambda *_: caught.append(os.getpid()))

    def waits() -> Iterator[list[int]]:
        yield [1]
        os.kill(os.getpid(), signal.SIGTERM)
        yield [2]

    try:
        with Child(waits(), 1) as child:
            assert all_of(child) == [[1]] and not caught
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_child_says_nothing_that_its_parent_was_about_to_say():
    program = """
import sys
from lm.forked import Child
sys.stdout.write("once, ")
with Child(iter([[1], [2]]), 1) as child:
    print(child.waiting(10))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.stdout.startswith("once, [[1]") and done.stdout.count("once") == 1 and not done.stderr


def test_a_child_does_not_outlive_its_parent(tmp_path):
    program = """
import os, sys, time
from lm.forked import Child
def endless():
    while True:
        time.sleep(0.01)
        yield [os.getpid()]
child = Child(endless(), 1)
print(child.waiting(10)[0][0], flush=True)
time.sleep(60)
"""
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    child = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.wait()
    _, alive = psutil.wait_procs([child], timeout=10)
    assert not alive


# ---------------------------------------------------------------------------------------------- texts


def together(model: GPT, config: SampleConfig = EIGHT, prompt: str = "abc", **options) -> list[str]:
    return [sample.text for sample in generate.generate(model, CHARACTERS, prompt, config, **options)]


def alone(model: GPT, config: SampleConfig = EIGHT, prompt: str = "abc", **options) -> list[str]:
    """The same by one process: each text by itself."""
    seeds = range(config.seed, config.seed + config.num_samples)
    return [together(model, replace(config, num_samples=1, seed=seed), prompt, **options)[0] for seed in seeds]


@pytest.fixture
def children(monkeypatch) -> list[Child]:
    """All that are begun."""
    begun = []

    class Noted(Child):
        def __init__(self, *arguments) -> None:
            super().__init__(*arguments)
            begun.append(self)

    monkeypatch.setattr(generate, "Child", Noted)
    return begun


@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)
@pytest.mark.parametrize(
    "prompt", ["a", "日本🎉" * 12, "abc " * 20], ids=["short", "nearly full", "beyond the context"]
)
@pytest.mark.parametrize("options", [{}, dict(is_exact=True), dict(use_cache=False)], ids=["rounded", "exact", "plain"])
def test_two_processors_write_what_one_writes(changes, prompt, options, children):
    model = made(**changes)
    assert together(model, prompt=prompt, **options) == alone(model, prompt=prompt, **options)
    assert len(children) == 1


@pytest.mark.parametrize("past_context", PAST_CONTEXT)
@pytest.mark.parametrize("prompt", ["abc", "abc " * 20], ids=["short", "beyond the context"])
def test_shares_move_on_past_the_context_by_themselves(past_context, prompt, children):
    model, config = made(), replace(EIGHT, max_new_tokens=3 * CONTEXT, past_context=past_context)
    assert together(model, config, prompt) == alone(model, config, prompt) and len(children) == 1


@pytest.mark.parametrize("count", [4, 5, 7])
def test_odd_numbers_of_texts_are_shared_too(count, children):
    config = replace(EIGHT, num_samples=count, max_new_tokens=80)
    assert together(made(), config) == alone(made(), config) and len(children) == 1


def test_more_processors_take_smaller_shares(children, monkeypatch):
    monkeypatch.setattr(forked, "_places", threading.BoundedSemaphore(3))
    monkeypatch.setattr(generate, "processors", lambda: 4)
    assert together(made()) == alone(made()) and len(children) == 3


@pytest.mark.parametrize(
    "config", [replace(EIGHT, num_samples=3), replace(EIGHT, max_new_tokens=9)], ids=["few", "short"]
)
def test_what_would_not_pay_stays_in_one_process(config, children):
    assert together(made(), config) == alone(made(), config) and not children


def test_a_child_that_dies_on_the_way_loses_no_text(monkeypatch, children):
    model, here, grow = made(), os.getpid(), generate.Texts.grow

    def dies(texts: generate.Texts) -> list[int]:
        if os.getpid() != here and texts.end == 20:
            os.kill(os.getpid(), signal.SIGKILL)
        return grow(texts)

    expected = alone(model)
    monkeypatch.setattr(generate.Texts, "grow", dies)
    assert together(model) == expected and len(children) == 1


def test_a_child_that_hangs_loses_no_text(monkeypatch, children):
    model, here, grow = made(), os.getpid(), generate.Texts.grow

    def hangs(texts: generate.Texts) -> list[int]:
        if os.getpid() != here and texts.end == 20:
            threading.Event().wait()
        return grow(texts)

    expected = alone(model)
    monkeypatch.setattr(generate.Texts, "grow", hangs)
    monkeypatch.setattr(generate, "PATIENCE", 0.2)
    assert together(model) == expected and len(children) == 1


def test_where_no_child_can_begin_one_process_writes_all_at_once(monkeypatch):
    sizes, grow = [], generate.Texts.grow

    def noted(texts: generate.Texts) -> list[int]:
        sizes.append(len(texts.ids))
        return grow(texts)

    expected = alone(made())
    monkeypatch.setattr(generate.Texts, "grow", noted)
    with Child(squares(1), 3):
        assert together(made()) == expected
    assert sizes == EIGHT.max_new_tokens * [EIGHT.num_samples]


def test_what_has_no_place_of_its_own_is_written_too(monkeypatch):
    """Of four processors' shares two have a child, as where another text is being written."""
    monkeypatch.setattr(forked, "_places", threading.BoundedSemaphore(2))
    monkeypatch.setattr(generate, "processors", lambda: 4)
    assert together(made()) == alone(made())


def test_a_text_that_is_closed_or_stopped_leaves_no_child(children):
    model, long = made(), replace(EIGHT, max_new_tokens=2_000)
    pieces = generate.stream(model, CHARACTERS, "a", long)
    for _ in range(100):
        next(pieces)
    pieces.close()
    assert len(children) == 1 and not psutil.pid_exists(children[0]._pid)
    left = iter(range(30))
    stopped = together(model, long, should_stop=lambda: next(left, None) is None)
    assert len(children) == 2 and max(map(len, stopped)) < 2_000


def test_texts_are_written_while_other_threads_compute(children):
    """Sixty forks beside threads that never rest: no lock of theirs stands in a child's way for good."""
    is_over, failed = threading.Event(), []

    def compute() -> None:
        try:
            while not is_over.is_set():
                torch.nn.functional.gelu(torch.randn(64, 64) @ torch.randn(64, 64)).softmax(-1).sum().item()
        except BaseException as fault:
            failed.append(fault)

    threads = [threading.Thread(target=compute) for _ in range(3)]
    for thread in threads:
        thread.start()
    model = made()
    torch.set_num_threads(2)  # one of which is there no longer in a child
    torch.randn(500, 500) @ torch.randn(500, 500)
    try:
        expected = together(model)
        assert all(together(model) == expected for _ in range(59))
    finally:
        is_over.set()
        for thread in threads:
            thread.join()
    assert not failed and len(children) == 60


def test_models_beyond_the_reach_of_one_thread_are_not_shared(children):
    for changes in (dict(arch="bigram"), dict(n_experts=4)):
        assert len(together(made(**changes))) == 8
    assert not children
