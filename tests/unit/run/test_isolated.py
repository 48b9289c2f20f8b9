"""A restorer in a process of its own gives the same bytes, and one that misbehaves costs its images only."""

from __future__ import annotations

import dataclasses
import gc
import io
import json
import os
import signal
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import pytest
import torch

from gfpbench import restorers, run
from gfpbench.images import select
from gfpbench.restorers import arithmetic
from gfpbench.restorers.checked import checked
from gfpbench.run import child_process, isolated
from gfpbench.run.isolated import LOSSES_AT_MOST, Isolated
from gfpbench.run.messages import BrokenMessage, attempt_of, receive, send, send_attempt
from gfpbench.types import AssetMissing, BadInput, Case, ImageBatch, Result
from tests import child

MODELS = """
    import ctypes, os, signal, subprocess, sys, threading, time
    import cv2, torch
    from gfpbench.restorers import arithmetic, from_array_function

    def blurred(rgb):
        return cv2.GaussianBlur(rgb, (5, 5), 1.5)

    def at_dark(act):
        def restore(rgb):
            if rgb.mean() < 64:
                act()
            return blurred(rgb)
        return from_array_function(restore)

    def talk():
        print("on standard output")
        subprocess.run(["echo", "from a process"])
        os.write(1, b"to the descriptor")
        assert sys.stdin.read() == ""

    def told(rgb):
        ways = ["", "sums in float64", "onnxruntime on one thread"]
        rgb = rgb // 8
        rgb[:, :, 0] = 50 + ways.index(arithmetic.way_now())
        rgb[:, :, 1] = 100 + torch.get_num_threads()
        return rgb

    def leave_a_thread():
        threading.Thread(target=time.sleep, args=(1000,)).start()

    def start_a_service():
        pid = os.fork()
        if not pid:
            os.setsid()
            time.sleep(30)
            open(os.environ["SERVICE"] + " ended", "w").close()
            os._exit(0)
        with open(os.environ["SERVICE"], "w") as file:
            file.write(str(pid))

    says_how = from_array_function(told)
    nice = at_dark(lambda: None)
    def run_another():
        # Compiled code: what Python itself offers for this is refused.
        ctypes.CDLL(None).execv(b"/bin/true", (ctypes.c_char_p * 2)(b"true", None))

    os_exit = at_dark(lambda: os._exit(0))
    libc_exit = at_dark(lambda: ctypes.CDLL(None).exit(0))
    libc_execv = at_dark(run_another)
    segfault = at_dark(lambda: ctypes.string_at(0))
    killed = at_dark(lambda: os.kill(os.getpid(), signal.SIGKILL))
    endless = at_dark(lambda: time.sleep(1000))
    closes_everything = at_dark(lambda: os.closerange(3, 100) or time.sleep(1000))
    talks = at_dark(talk)
    threads = at_dark(leave_a_thread)
    service = at_dark(start_a_service)
    raises = at_dark(lambda: 1 / 0)
"""
FORKED = pytest.mark.usefixtures("forked_processes")


@pytest.fixture(autouse=True)
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "models.py").write_text(textwrap.dedent(MODELS))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "models", raising=False)


@pytest.fixture
def batch() -> ImageBatch:
    """Three images: bright, dark (those that misbehave do it here), bright."""
    generator = torch.Generator().manual_seed(0)
    floor = torch.tensor([0.5, 0.0, 0.5])[:, None, None, None]
    pixels = torch.rand((3, 3, 32, 32), generator=generator) * 0.4 + floor
    return ImageBatch((pixels * 255).round() / 255, ("a", "dark", "c"))


def measured(case: Case, store: Path, *, isolate: bool) -> Result:
    return run.measure(case, store=store, metrics=["psnr_rgb"], isolate=isolate)


@FORKED
@pytest.mark.parametrize("name", ["nano", "bicubic", "python:models:nice", "photo:bicubic"])
def test_the_bytes_are_those_of_one_process(tmp_path: Path, name: str) -> None:
    case = Case("embedded", "paper", name, limit=3, size_px=128 if name != "photo:bicubic" else None)
    here, there = (measured(case, tmp_path / str(isolate), isolate=isolate) for isolate in (False, True))
    assert dataclasses.replace(here, environment={}) == dataclasses.replace(there, environment={})
    assert here.environment == there.environment


@FORKED
def test_noise_is_drawn_there_too(batch: ImageBatch, monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads and arithmetic are those of whoever asks, batch by batch."""
    restorer, before = Isolated("python:models:says_how"), torch.get_num_threads()
    try:
        for number, way in enumerate(("", "sums in float64", "onnxruntime on one thread")):
            torch.set_num_threads(number + 1)
            with arithmetic.computed(way):
                pixels, reasons = restorer.attempt(batch)
            assert reasons == {}
            assert {round(float(one[0, 0, 0] * 255)) for one in pixels.values()} == {50 + number}
            assert {round(float(one[1, 0, 0] * 255)) for one in pixels.values()} == {101 + number}
    finally:
        torch.set_num_threads(before)
        restorer.close()


@FORKED
@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("os_exit", "SystemExit: os._exit(0)"),
        ("libc_exit", "its process ended with status 0 before it had answered"),
        ("libc_execv", "its process ended with status 0 before it had answered"),
        ("segfault", "its process was ended by signal 11"),
        ("killed", "its process was ended by signal 9"),
    ],
)
def test_one_that_ends_its_process_fails_and_the_others_are_restored(
    batch: ImageBatch, model: str, reason: str
) -> None:
    restorer = Isolated(f"python:models:{model}")
    restored, failures = checked(restorer, batch)
    assert restored is not None
    assert restored.ids == ("a", "c")
    assert failures.keys() == {"dark"}
    assert failures["dark"].startswith(reason)
    expected, _ = checked(restorers.load("python:models:nice"), batch)
    assert expected is not None
    assert torch.equal(restored.pixels, expected.pixels[[0, 2]])


@FORKED
@pytest.mark.parametrize("model", ["endless", "closes_everything"])
def test_one_that_hangs_is_ended(batch: ImageBatch, model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_process, "SECONDS_TO_END", 1)
    restored, failures = checked(Isolated(f"python:models:{model}", seconds_per_image=1.5), batch)
    assert restored is not None
    assert restored.ids == ("a", "c")
    assert set(failures) == {"dark"}
    if model == "endless":
        assert failures["dark"] == "it gave no answer within 1.5 s and was ended (--seconds-per-image)"


@FORKED
def test_one_that_is_too_slow_and_has_a_faster_option_is_told_with_it(batch: ImageBatch) -> None:
    slow = Isolated("python:models:endless", seconds_per_image=1)
    slow._process.told["faster_with"] = "reduce=4"  # type: ignore[union-attr]
    _, failures = slow.attempt(select(batch, [1]))
    assert failures["dark"].startswith("it gave no answer within 1 s")
    assert "; with ?reduce=4 behind its name it sees smaller images" in failures["dark"]


@FORKED
def test_what_it_prints_goes_to_standard_error(batch: ImageBatch, capfd: pytest.CaptureFixture[str]) -> None:
    restored, failures = checked(Isolated("python:models:talks"), batch)
    assert restored is not None
    assert len(restored) == 3, failures
    out, err = capfd.readouterr()
    assert out == ""
    assert "on standard output" in err
    assert "from a process" in err


@FORKED
def test_errors_and_reasons_are_those_of_one_process(batch: ImageBatch) -> None:
    _, here = checked(restorers.load("python:models:raises"), batch)
    _, there = checked(Isolated("python:models:raises"), batch)
    assert here == there
    assert "ZeroDivisionError" in there["dark"]


@FORKED
def test_after_some_losses_in_a_row_nothing_more_is_tried() -> None:
    dark = ImageBatch(torch.zeros(6, 3, 32, 32) + torch.arange(6)[:, None, None, None] / 255, tuple("abcdef"))
    restorer = Isolated("python:models:libc_exit")
    pixels, reasons = restorer.attempt(dark)
    assert not pixels
    tried = [reason for reason in reasons.values() if not reason.startswith("not tried")]
    assert len(tried) == LOSSES_AT_MOST - 1  # the first loss was that of the whole batch
    assert "the last time its process ended with status 0" in reasons["f"]


def test_no_process_is_left(batch: ImageBatch) -> None:
    restorer = Isolated("python:models:threads")
    assert restorer._process is not None
    pid = restorer._process._child.pid
    restorer.attempt(batch)
    del restorer
    gc.collect()
    for _ in range(50):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    pytest.fail(f"process {pid} is still there")


@FORKED
def test_a_service_that_it_started_is_not_waited_for(
    batch: ImageBatch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has a session of its own, so that it is not ended, and holds our pipe."""
    monkeypatch.setenv("SERVICE", str(tmp_path / "service"))
    restorer = Isolated("python:models:service")
    assert checked(restorer, batch)[1] == {}
    restorer.close()
    assert not (tmp_path / "service ended").exists()
    os.kill(int((tmp_path / "service").read_text()), signal.SIGKILL)


@FORKED
def test_what_cannot_be_loaded_says_so_as_in_one_process() -> None:
    for name, error in (("nanoo", BadInput), ("python:models:absent", BadInput), ("gfpgan-1.4", AssetMissing)):
        with pytest.raises(error) as here:
            restorers.load(name)
        with pytest.raises(error) as there:
            Isolated(name)
        assert str(here.value) == str(there.value)


@FORKED
def test_a_process_that_ends_while_it_loads_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "ends.py").write_text("import ctypes\nctypes.CDLL(None).exit(0)\n")
    with pytest.raises(BadInput, match="cannot be loaded: its process ended with status 0"):
        Isolated("python:ends:restorer")
    with pytest.raises(BadInput, match="leave no time"):
        Isolated("nano", seconds_per_image=0)


@FORKED
def test_one_whose_answer_nobody_awaits_ends_without_a_word() -> None:
    """A command that ends, or is stopped, while a model is being loaded for it."""
    reading, writing = os.pipe()
    os.close(reading)
    question = io.BytesIO()
    send(question, {"restorer": "bicubic", "device": "cpu", "threads": 1})
    with tempfile.TemporaryFile() as asked:
        asked.write(question.getvalue())
        asked.seek(0)
        words = [sys.executable, *child_process.START, "gfpbench.run.isolated", json.dumps(sys.path)]
        done = child.run_group(words, timeout=60, stdin=asked, stdout=writing)
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")


def test_messages_arrive_whole_or_are_refused() -> None:
    pipe = io.BytesIO()
    values = torch.tensor([[[0.1, float("nan")], [float("inf"), -3.0]]])
    send_attempt(pipe, {"a": values}, {"b": "no"})
    data = pipe.getvalue()
    header, pixels = receive(io.BytesIO(data))
    answer, reasons = attempt_of(header, pixels, ("a", "b"))
    assert torch.equal(answer["a"].nan_to_num(7), values.nan_to_num(7))
    assert reasons == {"b": "no"}
    for cut in range(len(data)):
        with pytest.raises(BrokenMessage):
            receive(io.BytesIO(data[:cut]))
    for ids in (("a",), ("a", "b", "c"), ("a", "x")):
        with pytest.raises(BrokenMessage):
            attempt_of(header, pixels, ids)
    wrong = io.BytesIO()
    send(wrong, {"ids": ["a"], "reasons": {}})
    header, pixels = receive(io.BytesIO(wrong.getvalue()))
    with pytest.raises(BrokenMessage):
        attempt_of(header, pixels, ("a",))


@FORKED
def test_a_run_that_believed_the_exit_code_would_lose_the_images(
    batch: ImageBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The saboteur: an answer that never came is taken for one without images."""
    monkeypatch.setattr(isolated, "attempt_of", lambda header, pixels, ids: ({}, {}))
    pixels, reasons = Isolated("python:models:nice").attempt(batch)
    with pytest.raises(AssertionError):
        assert {*pixels, *reasons} == set(batch.ids)
