"""The scripts make the environment once, repair it, and say in one line what a machine lacks.

The machine is simulated: a PATH of our own with a few real tools, and a `python3` that answers `-m venv` and
`-m pip` as we tell it to and hands everything else to the real one. What pip and uv say in trouble is copied
from runs of theirs.
"""

import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.house.tree import ROOT, place, shell_scripts

TOOLS = (
    *("sh", "awk", "basename", "cat", "chmod", "cp", "date", "dirname", "env", "grep", "head", "id", "mkdir"),
    *("readlink", "rm", "sleep", "tail"),
)
COPIED = ("_environment", "up", "demo", "wildgrass")
SHELLS = [shell for shell in ("sh", "dash", "bash", "busybox") if shutil.which(shell)]

FAKE_PYTHON = """#!/bin/sh
printf '%s\\n' "$*" >>"$CALLS"
case "$1 $2 $3" in
-c*_base_executable*) echo "ok $0" ;;
"-m venv "*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
"-m pip --version"*) ;;
"-m pip "*)
    if [ -n "$TROUBLE" ]; then printf '%s\\n' "$TROUBLE"; exit 1; fi
    case $* in *" -e .") cp "$PROGRAM" .venv/bin/wildgrass ;; esac
    ;;
"-m compileall "*) ;;
*) exec "$REAL_PYTHON" "$@" ;;
esac
"""
FAKE_PROGRAM = """#!/bin/sh
printf '%s\\n' "$PWD" "$@"
"""


@dataclass(frozen=True)
class Machine:
    """A folder with the project's scripts, a PATH, and a list of what the fake Python was asked for."""

    folder: Path
    tools: Path
    calls: Path

    def put_tool(self, name: str, text: str) -> None:
        """Put a program of this text into the PATH, in place of one of the same name."""
        tool = self.tools / name
        tool.unlink(missing_ok=True)
        tool.write_text(text, encoding="utf-8")
        tool.chmod(0o755)

    def start(self, *command: str, cwd: Path | None = None, **more: str) -> "subprocess.Popen[str]":
        """Start one of the project's scripts."""
        return subprocess.Popen(
            [str(self.folder / "scripts" / command[0]), *command[1:]],
            cwd=cwd or self.folder.parent,
            env=self.environment(**more),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *command: str, cwd: Path | None = None, **more: str) -> tuple[int, str, str]:
        """Run one of the project's scripts and return exit code, output and talk."""
        process = self.start(*command, cwd=cwd, **more)
        output, talk = process.communicate(timeout=60)
        return process.returncode, output, talk

    def environment(self, **more: str) -> dict[str, str]:
        """Variables of the simulated machine."""
        told = {
            "CALLS": str(self.calls),
            "PROGRAM": str(self.tools / "program"),
            "REAL_PYTHON": sys.executable,
        }
        return {"PATH": str(self.tools), "HOME": str(self.folder.parent), **told, "TROUBLE": "", **more}

    def times_made(self) -> int:
        """How often an environment was begun anew."""
        calls = self.calls.read_text(encoding="utf-8") if self.calls.exists() else ""
        return len(re.findall(r"^-m venv ", calls, re.MULTILINE))


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A fresh clone in a folder whose name has spaces, quotes and Chinese in it."""
    folder = tmp_path / "野 草's clone"
    return _machine(folder, tmp_path)


def _machine(folder: Path, beside: Path) -> Machine:
    (folder / "scripts").mkdir(parents=True)
    for name in COPIED:
        shutil.copy(ROOT / "scripts" / name, folder / "scripts" / name)
    for name in ("pyproject.toml", "requirements.lock", "requirements-test.lock"):
        shutil.copy(ROOT / name, folder / name)
    tools = beside / "tools"
    tools.mkdir()
    for tool in TOOLS:
        (tools / tool).symlink_to(shutil.which(tool) or f"/missing/{tool}")
    made = Machine(folder, tools, beside / "calls")
    made.put_tool("python3", FAKE_PYTHON)
    made.put_tool("program", FAKE_PROGRAM)
    made.put_tool("sync", "#!/bin/sh\n")
    made.put_tool("uname", '#!/bin/sh\n[ "$1" = -m ] && echo x86_64 || echo Linux\n')
    made.put_tool("df", "#!/bin/sh\nprintf 'h\\n/dev/x 9 9 90000000 1%% /\\n'\n")
    return made


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("script", shell_scripts(), ids=place)
def test_every_script_is_clean_for_every_shell(script: Path, shell: str) -> None:
    """Routers have busybox, Debian has dash, a Mac has an old bash."""
    command = [shell, "sh", "-n", str(script)] if shell == "busybox" else [shell, "-n", str(script)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_every_script_may_be_started() -> None:
    """All but the shared part carry the executable bit."""
    scripts = [
        path for path in (ROOT / "scripts").iterdir() if path.is_file() and not path.name.startswith("_")
    ]
    assert all(os.access(path, os.X_OK) for path in [*scripts, ROOT / ".ci" / "run"])
    assert not os.access(ROOT / "scripts" / "_environment", os.X_OK)


def test_every_check_is_a_step_of_scripts_test_and_every_python_script_is_linted() -> None:
    """Whoever adds `scripts/vectors --check` adds its step; a Python script without an ending is named to ruff."""
    steps = (ROOT / "scripts" / "test").read_text(encoding="utf-8")
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    linted = settings["tool"]["ruff"]["extend-include"]
    forgotten = []
    for path in (ROOT / "scripts").iterdir():
        if path.is_file() and path not in shell_scripts():
            text = path.read_text(encoding="utf-8")
            if "--check" in text and f"scripts/{path.name} --check" not in steps:
                forgotten.append(f"scripts/{path.name} --check is no step of scripts/test")
            if f"scripts/{path.name}" not in linted and path.suffix != ".py":
                forgotten.append(f"scripts/{path.name} is not in extend-include of pyproject.toml")
    assert not forgotten, "\n".join(forgotten)


def test_the_second_start_finds_everything_ready(machine: Machine) -> None:
    """The first makes the environment; the second asks Python for nothing. Both run where the caller is."""
    first = machine.run("up", "--port", "1 2", cwd=machine.folder.parent)
    assert first[:2] == (0, f"{machine.folder.parent}\nup\n--port\n1 2\n")
    assert "this is needed once" in first[2]
    asked = machine.calls.read_text(encoding="utf-8")
    began = time.monotonic()
    assert machine.run("demo") == (0, f"{machine.folder.parent}\ndemo\n", "")
    assert time.monotonic() - began < 2
    assert machine.calls.read_text(encoding="utf-8") == asked


def test_a_link_to_a_script_finds_the_project(machine: Machine) -> None:
    """`ln -s .../scripts/wildgrass ~/bin/` is what people do."""
    machine.run("up")
    link = machine.tools / "wildgrass"
    link.symlink_to(machine.folder / "scripts" / "wildgrass")
    done = subprocess.run(
        [link, "status"], env=machine.environment(), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.splitlines()[-1], done.stderr) == (0, "status", "")


def test_two_first_starts_make_one_environment(machine: Machine) -> None:
    """The second waits for the first and then finds it ready."""
    slow = FAKE_PYTHON.replace('"-m venv "*)', '"-m venv "*) sleep 1;')
    machine.put_tool("python3", slow)
    starts = [machine.start("up"), machine.start("demo")]
    ends = [(*start.communicate(timeout=60), start.returncode) for start in starts]
    assert [end[2] for end in ends] == [0, 0]
    assert machine.times_made() == 1
    assert any("waiting" in talk for _, talk, _ in ends)


def test_an_interrupted_environment_is_made_again(machine: Machine) -> None:
    """Killed between the first package and the last, it is not trusted."""
    machine.put_tool(
        "python3", FAKE_PYTHON.replace('if [ -n "$TROUBLE" ]', 'kill -9 $PPID; if [ -n "$TROUBLE" ]')
    )
    assert machine.run("up")[0] != 0
    machine.put_tool("python3", FAKE_PYTHON)
    assert machine.run("up")[0] == 0
    assert machine.times_made() == 2


def test_an_environment_that_was_moved_is_made_again(machine: Machine) -> None:
    """Its programs name the folder in which they were installed."""
    machine.run("up")
    moved = Machine(machine.folder.with_name("elsewhere"), machine.tools, machine.calls)
    machine.folder.rename(moved.folder)
    assert moved.run("up")[0] == 0
    assert moved.times_made() == 2


def test_an_environment_whose_python_is_gone_is_made_again(machine: Machine) -> None:
    """The system went on to another Python and took the old one away."""
    machine.run("up")
    python = machine.folder / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to("/missing/python3.11")
    assert machine.run("up")[0] == 0
    assert machine.times_made() == 2


def test_a_changed_lock_is_installed_into_what_is_there(machine: Machine) -> None:
    """An update of the project does not throw the environment away; a change of settings installs no package."""
    machine.run("up")
    for name, packages in (("requirements.lock", True), ("pyproject.toml", False)):
        machine.calls.unlink()
        with (machine.folder / name).open("a", encoding="utf-8") as file:
            file.write("# changed\n")
        code, _, talk = machine.run("up")
        assert code == 0
        assert "up to date" in talk
        assert ("--require-hashes" in machine.calls.read_text(encoding="utf-8")) is packages
        assert machine.times_made() == 0


def _no_python(machine: Machine) -> None:
    (machine.tools / "python3").unlink()


def _old_python(machine: Machine) -> None:
    machine.put_tool("python3", "#!/bin/sh\necho old 3.9\n")


def _no_ensurepip(machine: Machine) -> None:
    machine.put_tool("python3", "#!/bin/sh\necho lacks 3.11 ensurepip\n")
    machine.put_tool("apt-get", "#!/bin/sh\n")


def _windows(machine: Machine) -> None:
    machine.put_tool("uname", "#!/bin/sh\necho MINGW64_NT-10.0-19045\n")


def _full_disk(machine: Machine) -> None:
    machine.put_tool("df", "#!/bin/sh\nprintf 'head\\n/dev/x 90000 9 51000 99%% /\\n'\n")


LACKING = {
    "no python": (_no_python, "Python 3.11 or newer was not found (there is: none)", "install.sh"),
    "old python": (_old_python, "not found (there is: python3 3.9)", "install.sh"),
    "no ensurepip": (
        _no_ensurepip,
        "Python 3.11 was found, but without: ensurepip",
        "apt-get install -y python3.11",
    ),
    "windows": (_windows, "this is Windows (MINGW64_NT-10.0-19045)", "wsl --install"),
    "full disk": (_full_disk, "too full (51 MB free of the 260 MB needed)", "rm -rf"),
}


@pytest.mark.parametrize("lack", LACKING)
def test_what_a_machine_lacks_is_said_with_the_line_that_mends_it(machine: Machine, lack: str) -> None:
    """Exit code 2, one line that says what was found, one that mends it, in English and Chinese."""
    take_away, found, mend = LACKING[lack]
    take_away(machine)
    code, output, talk = machine.run("up")
    assert (code, output) == (2, "")
    assert found in talk
    assert mend in _mending_line(talk)
    code, _, chinese = machine.run("up", LANG="zh_CN.UTF-8")
    assert code == 2
    assert chinese.splitlines()[-1].startswith("wildgrass：这样补救：")
    assert _mending_line(chinese).split() == _mending_line(talk).split()


TROUBLES = {
    "no network": (
        "connection broken by 'NewConnectionError(Connection refused)'\nERROR: No matching distribution found for x",
        "does not answer",
        "HTTPS_PROXY=",
    ),
    "no name": (
        "error: Failed to fetch: x\n  cause: client error (Connect)\n  cause: dns error",
        "does not answer",
        "HTTPS_PROXY=",
    ),
    "clock of 1970": (
        "There was a problem confirming the ssl certificate: certificate verify failed: not yet valid",
        "certificate that is not valid here; the clock says 20",
        "date -s",
    ),
    "disk full": ("OSError: [Errno 28] No space left on device: 'a' -> 'b'", "too full", "rm -rf"),
    "another package": (
        "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.\n    msgspec==0.22.0 from x:",
        "not the one that the lock names:     msgspec==0.22.0",
        "rm -rf",
    ),
    "no wheel": (
        "ERROR: Could not find a version\nERROR: No matching distribution found for cffi==2.1.1",
        "no ready-made package for this machine (Linux x86_64, Python 3.",
        "PIP_INDEX_URL=",
    ),
    "something else": (
        "ERROR: the moon\nis in the way",
        "is in the way\nwildgrass: the environment could",
        "rm -rf",
    ),
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_what_the_installer_met_is_said_with_the_line_that_mends_it(machine: Machine, trouble: str) -> None:
    """Exit code 2, and nothing half-made is taken for whole at the next start."""
    said_by_pip, found, mend = TROUBLES[trouble]
    code, output, talk = machine.run("up", TROUBLE=said_by_pip)
    assert (code, output) == (2, "")
    assert found in talk
    assert mend in _mending_line(talk)
    assert machine.run("up")[0] == 0
    assert machine.times_made() == 2


def test_where_uv_fails_pip_is_tried(machine: Machine) -> None:
    """uv reads no pip.conf, so a machine with a mirror may let only pip through."""
    machine.put_tool("uv", "#!/bin/sh\necho 'client error (Connect)'; exit 2\n")
    code, _, talk = machine.run("up")
    assert code == 0
    assert "uv did not manage" in talk


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that another user may enter, unlike pytest's own."""
    folder = Path(subprocess.run(["mktemp", "-d"], capture_output=True, text=True, check=True).stdout.strip())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_a_read_only_folder_is_said_once_and_no_hindrance_when_ready(open_folder: Path) -> None:
    """Before the first start it is refused with the line that copies it; a ready one starts from it."""
    machine = _machine(open_folder / "clone", open_folder)
    stranger = {"user": 65534, "group": 65534} if os.geteuid() == 0 else {}
    command = [str(machine.folder / "scripts" / "up")]
    if not stranger:
        machine.folder.chmod(0o555)
    done = subprocess.run(
        command, env=machine.environment(), capture_output=True, text=True, check=False, cwd="/", **stranger
    )
    machine.folder.chmod(0o755)
    assert (done.returncode, done.stdout) == (2, "")
    assert "cannot be written" in done.stderr
    assert _mending_line(done.stderr).startswith(f"cp -R '{machine.folder}'")
    assert machine.run("up")[0] == 0
    done = subprocess.run(
        command, env=machine.environment(), capture_output=True, text=True, check=False, cwd="/", **stranger
    )
    assert (done.returncode, done.stderr) == (0, "")


def _mending_line(talk: str) -> str:
    """The last line without what introduces it."""
    return re.split(r"this mends it:|这样补救：", talk.splitlines()[-1])[-1].strip()
