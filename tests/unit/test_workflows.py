"""The workflows: least rights, pinned actions, no code of others on self-hosted runners, commands that exist."""

from __future__ import annotations

import configparser
import copy
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from gfpbench.cli import app
from tests.preloaded import WITHOUT_THEIRS, Preloaded
from tests.unit.test_second_project import SHARPER

ROOT = Path(__file__).parents[2]
FILES = (*sorted((ROOT / ".github" / "workflows").glob("*.yml")), ROOT / "docs" / "templates" / "gate.yml")
ACTION = ROOT / "action.yml"
SAME_REPOSITORY = "github.event.pull_request.head.repo.full_name == github.repository"

Workflow = dict[str, Any]


def read(path: Path) -> Workflow:
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    workflow["on"] = workflow.pop(True)  # YAML 1.1 reads the word `on` as a truth value
    return workflow


def steps(workflow: Workflow) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, job in workflow["jobs"].items():
        for step in job["steps"]:
            yield name, step


def rights(workflow: Workflow) -> list[str]:
    """Rights beyond reading the code, other than a job that may write a comment and runs nothing of the repository."""
    found = [] if workflow.get("permissions") == {"contents": "read"} else ["the workflow may do more than read"]
    for name, job in workflow["jobs"].items():
        writes = [right for right, level in job.get("permissions", {}).items() if level != "read"]
        used = [str(step.get("uses", "")) for step in job["steps"]]
        if writes and (writes != ["pull-requests"] or any("checkout" in action for action in used)):
            found.append(f"{name}: may write {', '.join(writes)}")
    return found + ["runs with the rights of the base branch"] * ("pull_request_target" in workflow["on"])


def unpinned(workflow: Workflow) -> list[str]:
    """Actions that are not named by the hash of a commit."""
    used = [str(step["uses"]) for _, step in steps(workflow) if "uses" in step]
    return [action for action in used if not re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", action)]


def open_doors(workflow: Workflow) -> list[str]:
    """Text of a pull request in a shell line, a token left in the checkout, a fork's code on one's own machine."""
    found = [f"{name}: {step['run']}" for name, step in steps(workflow) if "${{ github.event" in step.get("run", "")]
    for name, step in steps(workflow):
        kept = step.get("with", {}).get("persist-credentials", True)
        found += [f"{name}: keeps the token"] * ("actions/checkout" in step.get("uses", "") and kept is not False)
    for name, job in workflow["jobs"].items():
        own = not str(job["runs-on"]).startswith("ubuntu-") and "pull_request" in workflow["on"]
        found += [f"{name}: runs a fork's code on your machine"] * (own and not keeps_forks_out(job))
    return found


def keeps_forks_out(job: dict[str, Any]) -> bool:
    """Of the cases that its condition allows, each that a pull request can be has to be one of the same repository.

    A runner that a variable names may run forks where the variable is empty, and the runner then one of GitHub's.
    """
    condition = str(job.get("if", "")).removeprefix("${{").removesuffix("}}")
    allowed = {case.strip() for case in condition.split("||")}
    variable = re.fullmatch(r"\$\{\{ (vars\.\w+) \|\| 'ubuntu-[0-9.]+' \}\}", str(job["runs-on"]))
    harmless = {"github.event_name != 'pull_request'", *([f"{variable[1]} == ''"] if variable else [])}
    return SAME_REPOSITORY in allowed and allowed <= {SAME_REPOSITORY, *harmless}


def lost_failures(workflow: Workflow) -> list[str]:
    """Commands in front of a pipe whose failure nobody sees: GitHub's own shell has no pipefail unless it is named."""
    named = workflow.get("defaults", {}).get("run", {}).get("shell") == "bash"
    piped = [step["run"] for _, step in steps(workflow) if "|" in re.sub(r"\|\||'[^']*'", "", step.get("run", ""))]
    return [] if named else piped


def unwitnessed(workflow: Workflow) -> list[str]:
    """Sessions of pytest whose exit code is believed although a restorer can end the process with status 0.

    What sees it is a `gfpbench report` on the folder, also after a failure, or a look at the mark that lies in it.
    """
    found = []
    for job in workflow["jobs"].values():
        lines = [(step, line) for step in job["steps"] for line in step.get("run", "").splitlines()]
        told = [word for _, line in lines for word in re.findall(r"pytest .*--report (\S+)", line)]
        seen = [
            word
            for step, line in lines
            if "!cancelled()" in str(step.get("if")) or "pytest" in step["run"]
            for words in re.findall(r"gfpbench report ([^|>]*)|test ! -e (\S+)/\.unfinished", line)
            for word in " ".join(words).split()
        ]
        found += [folder for folder in told if folder not in seen]
    return found


def strangers(workflow: Workflow) -> list[str]:
    """gfpbench installed by its bare name, which anybody may register."""
    installs = [line for _, step in steps(workflow) for line in step.get("run", "").splitlines() if " install " in line]
    return [line for line in installs if re.search(r"\bgfpbench\b(?! @ )", line)]


def endless(workflow: Workflow) -> list[str]:
    """Jobs without a limit of time, and a workflow whose older runs go on beside newer ones."""
    found = [name for name, job in workflow["jobs"].items() if "timeout-minutes" not in job]
    return found + ["no concurrency"] * (not workflow.get("concurrency", {}).get("cancel-in-progress"))


def unknown_commands(workflow: Workflow) -> list[str]:
    """Commands of gfpbench, options of it and environments of tox that are not there."""
    known = get_command(app).commands  # type: ignore[attr-defined]
    tox = configparser.ConfigParser(interpolation=None)
    tox.read(ROOT / "tox.ini")
    sections = " ".join(tox.sections())
    found = []
    for _, step in steps(workflow):
        for command, rest in re.findall(r"(?m)(?:^|\s)gfpbench (\w+)([^\n|>]*)", step.get("run", "")):
            options = (
                {option for parameter in known[command].params for option in parameter.opts}
                if command in known
                else set()
            )
            found += [f"gfpbench {command}"] * (command not in known)
            found += [option for option in re.findall(r"--[a-z-]+", rest) if command in known and option not in options]
        for environments in re.findall(r"tox run -e (\S+)", step.get("run", "")):
            stems = [name.removeprefix("torch-") for name in environments.split(",") if "$" not in name]
            found += [f"tox: {stem}" for stem in stems if not re.search(rf"\b{re.escape(stem)}\b", sections)]
    return found


LAWS: tuple[Callable[[Workflow], list[str]], ...] = (
    rights,
    unpinned,
    open_doors,
    endless,
    unknown_commands,
    lost_failures,
    strangers,
    unwitnessed,
)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_workflow_keeps_the_law(path: Path, law: Callable[[Workflow], list[str]]) -> None:
    assert law(read(path)) == []


def test_all_workflows_are_looked_at() -> None:
    assert [path.name for path in FILES] == ["ci.yml", "gpu.yml", "gate.yml"]


def test_every_pin_says_its_version() -> None:
    for path in FILES:
        for line in path.read_text(encoding="utf-8").splitlines():
            assert "uses:" not in line or re.search(r"@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line), line


def test_ci_runs_what_the_readme_says() -> None:
    command = "python -m pip install tox && tox run -e tests"
    assert command in (ROOT / "README.md").read_text(encoding="utf-8")
    assert command in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert command in [step.get("run") for _, step in steps(read(FILES[0]))]


def test_the_gpu_runner_does_what_it_is_for() -> None:
    text = FILES[1].read_text(encoding="utf-8")
    for needed in (
        "pytest -m gpu --strict-assets",
        "tests/regression --device cuda",
        "report/*/junit.xml",
        "--markdown",
    ):
        assert needed in text


def _set(workflow: Workflow, path: str, value: object) -> Workflow:
    broken = copy.deepcopy(workflow)
    *way, last = path.split(".")
    place: Any = broken
    for word in way:
        place = place[int(word) if word.isdigit() else word]
    place[last] = value
    return broken


@pytest.mark.parametrize(
    ("law", "path", "value"),
    [
        (rights, "permissions", "write-all"),
        (rights, "on.pull_request_target", None),
        (rights, "jobs.gate.permissions", {"contents": "write"}),
        (unpinned, "jobs.gate.steps.0.uses", "actions/checkout@v6"),
        (unpinned, "jobs.gate.steps.0.uses", "somebody/checkout@de0fac2e4500dabe0009e67214ff5f5447ce83dd"),
        (open_doors, "jobs.gate.if", "${{ true }}"),
        (open_doors, "jobs.gate.steps.0.with", {}),
        (open_doors, "jobs.gate.steps.3.run", "echo ${{ github.event.pull_request.title }}"),
        (endless, "concurrency", {}),
        (endless, "jobs.gate", {"runs-on": "ubuntu-24.04", "steps": []}),
        (open_doors, "jobs.gate.if", f"${{{{ always() || {SAME_REPOSITORY} }}}}"),
        (open_doors, "jobs.gate.runs-on", "my-own-machine"),
        (lost_failures, "defaults", {}),
        (unwitnessed, "jobs.gate.steps.5.run", "pytest -m gpu --strict-assets --report report/gpu"),
        (unwitnessed, "jobs.gate.steps.8.if", ""),
        (unwitnessed, "jobs.gate.steps.8.run", "gfpbench report report/speed --markdown"),
        (strangers, "jobs.gate.steps.3.run", "python -m pip install gfpbench -e ."),
        (strangers, "jobs.gate.steps.3.run", "python -m pip install 'gfpbench[all]'"),
        (unknown_commands, "jobs.gate.steps.3.run", "gfpbench fetsch --all"),
        (unknown_commands, "jobs.gate.steps.3.run", "gfpbench fetch --everything"),
        (unknown_commands, "jobs.gate.steps.3.run", "tox run -e tests,lints"),
    ],
)
def test_a_broken_workflow_is_seen(law: Callable[[Workflow], list[str]], path: str, value: object) -> None:
    # Of the two workflows with a runner that may be somebody's own, one has a piped command.
    workflow = read(FILES[2] if law is lost_failures else FILES[1])
    assert law(workflow) == []
    broken = _set(workflow, path, value)
    if (path, value) == ("jobs.gate.runs-on", "my-own-machine"):
        broken["jobs"]["gate"].pop("if")
    assert law(broken) != []


@pytest.mark.parametrize(
    ("condition", "runner"),
    [
        (None, "${{ vars.GATE_RUNNER || 'ubuntu-24.04' }}"),
        ("${{ vars.OTHER == '' || SAME }}", "${{ vars.GATE_RUNNER || 'ubuntu-24.04' }}"),
        ("${{ vars.GATE_RUNNER == '' || SAME }}", "${{ vars.GATE_RUNNER || 'my-own-machine' }}"),
        ("${{ vars.GATE_RUNNER == '' || SAME }}", ["self-hosted", "linux", "gpu"]),
        ("${{ vars.GATE_RUNNER == '' }}", "${{ vars.GATE_RUNNER || 'ubuntu-24.04' }}"),
    ],
)
def test_a_template_that_lets_forks_in_is_seen(condition: str | None, runner: object) -> None:
    workflow = read(FILES[2])
    assert open_doors(workflow) == []
    job = workflow["jobs"]["gate"]
    job["runs-on"] = runner
    job["if"] = "" if condition is None else condition.replace("SAME", SAME_REPOSITORY)
    assert open_doors(workflow) != []


def test_the_template_installs_nothing_until_somebody_names_a_commit() -> None:
    """No account can be called <owner>, so a workflow that was copied and not read fails."""
    text = FILES[2].read_text(encoding="utf-8")
    assert "git+https://github.com/<owner>/gfpbench@<commit>" in text


def test_zizmor_finds_nothing_that_is_not_argued() -> None:
    """Offline: what it would ask of servers is not asked."""
    zizmor = shutil.which("zizmor", path=str(Path(sys.executable).parent)) or shutil.which("zizmor")
    lint = configparser.ConfigParser(interpolation=None)
    lint.read(ROOT / "tox.ini")
    assert "zizmor --offline --persona auditor" in lint["testenv:lint"]["commands"]
    assert "{tox_root}{/}action.yml" in lint["testenv:lint"]["commands"]
    ignored = [line for path in (*FILES, ACTION) for line in path.read_text().splitlines() if "zizmor: ignore" in line]
    assert [line.strip() for line in ignored] == [
        "runs-on: [self-hosted, linux, gpu] # zizmor: ignore[self-hosted-runner]"
    ]
    if zizmor is not None:  # `tox run -e lint` has it; here it may be absent
        done = subprocess.run(
            [zizmor, "--offline", "--persona", "auditor", *FILES, ACTION], capture_output=True, check=False
        )
        assert done.returncode == 0, done.stdout.decode()


@pytest.fixture
def scripts(tmp_path_factory: pytest.TempPathFactory, preloaded: Preloaded) -> Path:
    """A folder with a ``pytest`` that is the installed one, forked."""
    folder = tmp_path_factory.mktemp("scripts")
    preloaded.script("pytest", folder)
    return folder


def action_run(
    project: Path, scripts: Path, **inputs: str
) -> tuple[list[subprocess.CompletedProcess[str]], dict[str, str]]:
    """The steps of the composite action after its installation, as a runner starts them in a project."""
    action = yaml.safe_load(ACTION.read_text(encoding="utf-8"))
    given = {name: str(inputs.get(name, one.get("default", ""))) for name, one in action["inputs"].items()}
    files = {name: project / f".{name.lower()}" for name in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT")}
    for path in files.values():
        path.write_text("")
    inherited = {name: text for name, text in os.environ.items() if not name.startswith(("PYTEST_", "PYTHONPATH"))}
    inherited["PATH"] = os.pathsep.join([str(scripts), str(Path(sys.executable).parent), inherited["PATH"]])
    done = []
    for step in action["runs"]["steps"][1:]:
        assert step["shell"] == "bash"
        own = {name: _filled(text, given) for name, text in step["env"].items()}
        environment = {**inherited, **own, **WITHOUT_THEIRS, "GITHUB_ACTION_PATH": str(ROOT)}
        environment |= {name: str(path) for name, path in files.items()}
        words = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
        options: dict[str, Any] = {"capture_output": True, "text": True, "timeout": 300, "check": False}
        done.append(subprocess.run(words, cwd=project, env=environment, **options))
    outputs = dict(line.split("=", 1) for line in files["GITHUB_OUTPUT"].read_text().splitlines())
    return done, {**outputs, "summary": files["GITHUB_STEP_SUMMARY"].read_text()}


def _filled(text: str, given: dict[str, str]) -> str:
    return re.sub(r"\$\{\{ inputs\.(\w+) \}\}", lambda found: given[found[1]], text)


def test_the_action_gates_a_project(tmp_path: Path, scripts: Path) -> None:
    """No baseline fails; made, it passes and nothing is to be told; another model fails and is told."""
    model = tmp_path / "mymodel.py"
    options = "--limit 3 --size 64 --gfpbench-protocol 'report-2021'"
    model.write_text(SHARPER)
    (gate, _), _ = action_run(tmp_path, scripts, restorer="python:mymodel:restorer", options=options)
    assert gate.returncode == 1, gate.stdout
    (gate, summary), found = action_run(
        tmp_path, scripts, restorer="python:mymodel:restorer", options=f"{options} --baseline-update-new"
    )
    assert (gate.returncode, summary.returncode) == (0, 0), gate.stdout + summary.stderr
    (gate, summary), found = action_run(tmp_path, scripts, restorer="python:mymodel:restorer", options=options)
    assert (gate.returncode, summary.returncode) == (0, 0), gate.stdout + summary.stderr
    assert found["changed"] == "false"
    assert "psnr_rgb" in found["summary"]
    model.write_text(SHARPER.replace("return ", "return 20 + 0 * rgb + "))
    (gate, summary), found = action_run(tmp_path, scripts, restorer="python:mymodel:restorer", options=options)
    assert (gate.returncode, summary.returncode) == (1, 0), gate.stdout
    assert found["changed"] == "true"
    assert "worse" in (tmp_path / "report" / "changes.md").read_text()


def test_words_of_the_action_are_no_code(tmp_path: Path, scripts: Path) -> None:
    """What stands in an input is never text of a script."""
    action = yaml.safe_load(ACTION.read_text(encoding="utf-8"))
    assert not [step["run"] for step in action["runs"]["steps"] if "${{" in step["run"]]
    (tmp_path / "mymodel.py").write_text(SHARPER)
    hostile = "--limit 1 '$(touch gone)' ; touch gone"
    action_run(tmp_path, scripts, restorer="python:mymodel:restorer", options=hostile)
    assert not (tmp_path / "gone").exists()


def test_the_gitlab_template_does_what_the_other_does() -> None:
    template = yaml.safe_load((ROOT / "docs" / "templates" / "gitlab-ci.yml").read_text(encoding="utf-8"))
    other = read(FILES[2])
    lines = "\n".join(line for _, step in steps(other) for line in step.get("run", "").splitlines())
    for command in template["gate"]["script"]:
        assert command.partition(" > ")[0] in lines
    assert template["variables"]["GFPBENCH"].endswith("/gfpbench@<commit>")
    assert template["gate"]["artifacts"] == {
        "when": "always", "paths": ["report"], "reports": {"junit": "report/junit.xml"}, "expose_as": "gfpbench",
    }  # fmt: skip
