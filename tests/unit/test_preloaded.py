"""A program in a fork of the preloaded interpreter is what it is in one of its own, or it gets one of its own."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests import preloaded
from tests.preloaded import Preloaded

TOLD = """
import cv2, numpy, json, os, signal, sys, threading
print(json.dumps({
    "argv": sys.argv, "orig_argv": sys.orig_argv, "path": sys.path, "flags": str(sys.flags), "main": __name__,
    "executable": sys.executable, "prefix": sys.prefix, "folder": os.getcwd(), "environment": dict(os.environ),
    "stdin": sys.stdin.read(), "names": sorted(set(vars(sys.modules["__main__"])) - {"__cached__"}),
    "streams": [str((s.name, s.mode, s.encoding, s.errors, s.line_buffering, s.write_through, s.isatty()))
                for s in (sys.stdin, sys.stdout, sys.stderr)],
    "signals": [str(signal.getsignal(n)) for n in signal.valid_signals() if n not in (32, 33)],
    "blocked": str(signal.pthread_sigmask(signal.SIG_BLOCK, ())), "threads": len(os.listdir("/proc/self/task")),
    "files": sorted(int(n) for n in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{n}")),
    "main_thread": threading.current_thread() is threading.main_thread(),
    "tests": sorted(n for n in sys.modules if n.split(".")[0] in ("gfpbench", "tests", "launcher", "server")),
    "extra": os.read(int(os.environ["EXTRA"]), 9).decode() if "EXTRA" in os.environ else "",
}))
print("to the other stream", file=sys.stderr)
"""
PID = "import os, sys; print(os.getpid(), file=sys.__stdout__)"
ENDINGS = {
    "fine": "print('fine')",
    "status": "import sys; sys.exit(3)",
    "words": "import sys; sys.exit('some words')",
    "none": "raise SystemExit",
    "large": "import sys; sys.exit(300)",
    "negative": "import sys; sys.exit(-1)",
    "truth": "import sys; sys.exit(True)",
    "half": "import sys; sys.exit(0.5)",
    "error": "raise ValueError('wrong')",
    "at_once": "import os; print('lost'); os._exit(5)",
    "of_libc": "import ctypes; ctypes.CDLL(None).exit(6)",
    "killed": "import os; os.kill(os.getpid(), 9)",
    "terminated": "import os; os.kill(os.getpid(), 15)",
    "ctrl_c": "raise KeyboardInterrupt",
    "ctrl_c_sent": "import os, time; os.kill(os.getpid(), 2); time.sleep(60)",
    "full": "import os, sys; os.dup2(os.open('/dev/full', os.O_WRONLY), 1); print('x')",
    "pipe": "import os; r, w = os.pipe(); os.close(r); os.write(w, b'x')",
    "exec": "import os; os.execv('/bin/sh', ['sh', '-c', 'echo from a shell; exit 4'])",
    "thread": "import threading, time; threading.Thread(target=lambda: (time.sleep(0.2), print('after'))).start()",
    "at_exit": "import atexit; [atexit.register(print, word) for word in 'ab']; 1 / 0",
    "exits_at_exit": "import atexit, sys; atexit.register(sys.exit, 3)",
    "left_open": "import os, sys; file = open('/dev/fd/1', 'w'); file.write('from a file')",
    "other_stream": "import io, sys; print('a', end=''); sys.stdout = io.TextIOWrapper(io.BytesIO()); print('b')",
    "a_fork": "import os; pid = os.fork(); pid or os._exit(7); print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))",
    "a_process": "import subprocess, sys; print(subprocess.run([sys.executable, '-c', 'print(1)'], check=True))",
    "spawned": "import multiprocessing as m; p = m.get_context('spawn').Process(target=print, args=('s',)); p.start(); "
    "p.join(); print(p.exitcode)",
}


@pytest.fixture(scope="module")
def light() -> Iterator[Preloaded]:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")  # with more, NumPy starts threads, and nothing is forked
        interpreter = Preloaded(Path(folder), ("cv2", "numpy"))
        yield interpreter
        interpreter.end()


def with_module(folder: Path) -> Path:
    """The folder, with the programs of the preloaded interpreter beside what is in it."""
    for name in ("server.py", "launcher.py"):
        (folder / name).write_text((Path(preloaded.__file__).parent / name).read_text())
    return folder


def both(light: Preloaded, words: Sequence[str], **how: Any) -> list[subprocess.CompletedProcess[str]]:
    given = {"capture_output": True, "text": True, "timeout": 60, "check": False, "input": "typed", **how}
    return [subprocess.run(command, **given) for command in (words, light.words(words))]


@pytest.mark.parametrize("way", ["-c", "-m", "-mjoined", "-u", "-P", "-P -m"])
def test_a_program_finds_what_it_would_find(
    light: Preloaded, way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "program.py").write_text(TOLD)
    (tmp_path / "some" / "some").mkdir(parents=True)
    (tmp_path / "some" / "some" / "program.py").write_text(TOLD)
    monkeypatch.setenv("PYTHONPATH", f"some:{tmp_path / 'other'}:some")
    monkeypatch.setenv("THEIRS", "é\n=")
    monkeypatch.delenv("HOME", raising=False)
    start = {
        "-c": ("-c", TOLD),
        "-m": ("-m", "program"),
        "-mjoined": ("-mprogram",),
        "-u": ("-u", "-c", TOLD),
        "-P": ("-P", "-u", "-c", TOLD),
        "-P -m": ("-P", "-m", "some.program"),
    }[way]
    found = []
    for words in ((sys.executable, *start, "a", "-b", "--c"), light.words((sys.executable, *start, "a", "-b", "--c"))):
        reading, writing = os.pipe()
        os.write(writing, b"extra")
        os.close(writing)
        environment = {**os.environ, "EXTRA": str(reading)}
        done = subprocess.run(
            words, cwd=tmp_path, env=environment, pass_fds=(reading,), input="typed", capture_output=True, text=True,
            timeout=60, check=False,
        )  # fmt: skip
        os.close(reading)
        assert done.stderr == "to the other stream\n"
        told = json.loads(done.stdout)
        del told["environment"]["EXTRA"]
        told["files"] = [number for number in told["files"] if number != reading]
        # the one thing that a fork cannot follow
        told["flags"] = (
            told["flags"].replace("unbuffered=1", "unbuffered=0").replace("safe_path=True", "safe_path=False")
        )
        found.append(told)
    assert found[0]["extra"] == "extra"
    assert found[1] == found[0]


@pytest.mark.parametrize("ending", ENDINGS)
def test_it_ends_as_it_would_end(light: Preloaded, ending: str) -> None:
    alone, forked = both(light, (sys.executable, "-c", ENDINGS[ending]))
    assert forked.returncode == alone.returncode
    assert forked.stdout == alone.stdout
    assert forked.stderr.splitlines()[-1:] == alone.stderr.splitlines()[-1:]


def own_process(words: Sequence[str], **how: Any) -> bool:
    """Whether the program has the process that was started for it."""
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, **how) as process:
        out, _ = process.communicate(timeout=60)
    return int(out) == process.pid


CHILD = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {PID!r}], stdout=subprocess.PIPE, text=True)
print(child.args[0] == sys.executable and len(child.args), int(child.communicate()[0]) == child.pid)
"""


def test_it_is_forked(light: Preloaded) -> None:
    assert not own_process(light.words((sys.executable, "-c", PID)))
    assert not own_process(light.words((sys.executable, "-u", "-c", PID)))
    assert not own_process(light.words((sys.executable, "-P", "-c", PID)))
    assert light.words(("/bin/true", "-c", PID)) == ["/bin/true", "-c", PID]


def test_so_is_what_it_starts(light: Preloaded) -> None:
    alone, forked = both(light, (sys.executable, "-c", CHILD))
    assert (alone.stdout, forked.stdout) == ("3 True\n", "3 False\n")


def test_what_a_test_itself_starts_is_forked_where_it_asks_for_that(light: Preloaded) -> None:
    assert own_process((sys.executable, "-c", PID))
    with light.starts_children():
        assert not own_process((sys.executable, "-c", PID))
        assert not own_process([sys.executable, "-c", PID])
        assert own_process([sys.executable, "-O", "-c", PID])
        assert own_process(("python", "-c", PID), executable=sys.executable)
        assert subprocess.run("echo $0", shell=True, capture_output=True, check=True).stdout
    assert own_process((sys.executable, "-c", PID))


@pytest.mark.parametrize("encoding", ["ascii", "latin-1:replace", ":ignore", "utf-16", "utf-8:strict", ""])
def test_its_streams_have_the_encoding_that_is_asked_for(light: Preloaded, encoding: str, tmp_path: Path) -> None:
    program = """
import sys
print(*((s.encoding, s.errors, s.line_buffering, s.newlines) for s in (sys.stdin, sys.stdout, sys.stderr)))
print(sys.stdin.read(1), "\xe9")
"""
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    alone, forked = both(light, (sys.executable, "-c", program), env=environment, text=False, input=b"ab")
    assert (forked.returncode, forked.stdout) == (alone.returncode, alone.stdout)
    assert forked.stderr.splitlines()[-1:] == alone.stderr.splitlines()[-1:]


@pytest.mark.parametrize("options", [("-u",), ()])
def test_what_is_written_without_buffers_is_there_at_once(light: Preloaded, options: tuple[str, ...]) -> None:
    program = "import os, sys; print('now', end=' '); os.kill(os.getpid(), 9)"
    alone, forked = both(light, (sys.executable, *options, "-c", program))
    there = "now " if options or os.environ.get("PYTHONUNBUFFERED") else ""
    assert (alone.returncode, alone.stdout) == (-9, there)
    assert (forked.returncode, forked.stdout) == (-9, there)


def test_what_is_blocked_stays_blocked_and_waits_for_it(light: Preloaded) -> None:
    program = """
import signal, sys
print(sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())), flush=True)
sys.stdin.read()
print(signal.SIGTERM in signal.sigpending(), flush=True)
signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
"""
    told = []
    for words in ((sys.executable, "-c", program), light.words((sys.executable, "-c", program))):
        before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGCHLD])
        try:
            process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        with process:
            assert process.stdout is not None
            first = process.stdout.readline()
            process.terminate()
            time.sleep(0.2)
            told.append((first, process.communicate(timeout=60)[0], process.returncode))
    assert told[1] == told[0]
    assert told[0][1:] == ("True\n", -signal.SIGTERM)


@pytest.mark.parametrize(
    "name", ["PYTHONHASHSEED", "OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES", "LC_ALL", "MALLOC_ARENA_MAX"]
)
def test_a_variable_that_acts_at_the_start_gets_its_own_process(light: Preloaded, name: str) -> None:
    value = "C" if name == "LC_ALL" else "3"
    assert own_process(light.words((sys.executable, "-c", PID)), env={**os.environ, name: value})


def test_a_variable_that_is_read_after_the_fork_is_followed(light: Preloaded) -> None:
    program = f"{PID}; print(os.environ['TORCHINDUCTOR_CACHE_DIR'], 'torch._inductor' in sys.modules, file=sys.stderr)"
    environment = {**os.environ, "TORCHINDUCTOR_CACHE_DIR": "/elsewhere"}
    with subprocess.Popen(
        light.words((sys.executable, "-c", program)), env=environment, stdout=-1, stderr=-1, text=True
    ) as process:
        out, errors = process.communicate(timeout=60)
    assert int(out) != process.pid
    assert errors == "/elsewhere False\n"


def test_the_compiler_that_reads_it_is_not_imported_before_the_fork(preloaded: Preloaded) -> None:
    program = "import sys; print('torch' in sys.modules, 'torch._inductor.config' in sys.modules)"
    done = subprocess.run(preloaded.words((sys.executable, "-c", program)), capture_output=True, text=True, check=True)
    assert done.stdout == "True False\n"


@pytest.mark.parametrize("options", [("-O",), ("-X", "utf8"), ("-u", "-O"), ("-P", "-O")])
def test_an_option_of_the_interpreter_gets_its_own_process(light: Preloaded, options: tuple[str, ...]) -> None:
    assert own_process(light.words((sys.executable, *options, "-c", PID)))


@pytest.mark.parametrize("name", ["cv2.py", "cv2.abi3.so", "json/__init__.py", "sitecustomize.py"])
def test_a_module_that_hides_another_gets_its_own_process(light: Preloaded, name: str, tmp_path: Path) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()
    words = light.words((sys.executable, "-c", PID))
    assert own_process(words, cwd=tmp_path)
    assert own_process(words, env={**os.environ, "PYTHONPATH": str(tmp_path)})
    assert not own_process(light.words((sys.executable, "-P", "-c", PID)), cwd=tmp_path)


@pytest.mark.parametrize("name", ["cv2.ini", "json/module.py", "cv2.txt"])
def test_what_is_no_module_hides_nothing(light: Preloaded, name: str, tmp_path: Path) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()
    assert not own_process(light.words((sys.executable, "-c", PID)), cwd=tmp_path)


def test_other_limits_get_their_own_process(light: Preloaded) -> None:
    words = light.words((sys.executable, "-c", PID))
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    assert own_process(["sh", "-c", 'ulimit -f 1000000; exec "$@"', "sh", *words])
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] == limit
    assert own_process(words, umask=0o777)


def test_where_an_import_starts_a_thread_nothing_is_forked(tmp_path: Path) -> None:
    (tmp_path / "threaded.py").write_text(
        "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n"
    )
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        interpreter = Preloaded(Path(folder), ("json", "threaded"))
        patch.setattr("tests.preloaded.HERE", with_module(tmp_path))
        words = (sys.executable, "-c", PID)
        assert interpreter.words(words) == list(words)
        interpreter.end()


def test_signals_reach_it(light: Preloaded) -> None:
    program = """
import signal, time
signal.signal(signal.SIGTERM, lambda number, _: (print(number), exit(9)))
print("ready", flush=True)
while True: time.sleep(60)
"""
    for number, code, said in ((signal.SIGTERM, 9, "15"), (signal.SIGHUP, -1, ""), (signal.SIGINT, None, "")):
        codes = []
        for words in ((sys.executable, "-c", program), light.words((sys.executable, "-c", program))):
            with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
                assert process.stdout is not None
                assert process.stdout.readline() == "ready\n"
                process.send_signal(number)
                assert process.communicate(timeout=60)[0].strip() == said
                codes.append(process.returncode)
        assert codes[0] == codes[1]
        assert code is None or code == codes[0]


def test_a_pipe_that_it_closes_is_closed(light: Preloaded) -> None:
    program = "import os, time; os.close(0); os.close(1); time.sleep(600)"
    with subprocess.Popen(
        light.words((sys.executable, "-c", program)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.read() == b""
        with pytest.raises(BrokenPipeError):
            process.stdin.write(b"x")
        assert process.poll() is None
        process.kill()


TWO = """
import os, subprocess, sys, time
program = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"
child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
print(os.getpid(), child.pid, child.stdout.readline(), flush=True)
time.sleep(600)
"""


def gone(pid: int) -> bool:
    """Whether a process has ended; one that nobody has waited for yet has."""
    for _ in range(600):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("killed", ["launcher", "owner", "interpreter"])
def test_nothing_outlives_what_it_belongs_to(killed: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        interpreter = Preloaded(Path(folder), ("json",))
        words = interpreter.words((sys.executable, "-c", TWO))
        server = interpreter._process
        assert server is not None
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as launcher:
            assert launcher.stdout is not None
            program, child, in_it = map(int, launcher.stdout.readline().split())
            assert program != launcher.pid
            assert child != in_it
            if killed == "launcher":
                launcher.kill()
            elif killed == "owner":
                assert server.stdin is not None
                server.stdin.close()  # as the kernel does where the owner has been killed
            else:
                os.kill(program, signal.SIGTERM)
            assert gone(program)
            assert launcher.wait(timeout=60) == (-signal.SIGTERM if killed == "interpreter" else -signal.SIGKILL)
            assert gone(child)
            assert gone(in_it)
        interpreter.end()
        assert server.returncode == 0
