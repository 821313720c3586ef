"""The command itself: help, languages, exit codes, and what it does not import."""

import json
import os
import socket
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread

import pytest

from node.cli.groups import EXIT_CODES, wildgrass
from node.cli.output import table, width
from node.locale import CHINESE, translate
from node.operations.lifecycle import RunningNode, claim_folder, note_running
from node.vault import entropy_of_words, open_vault

NOBODY = 65_534


def wildgrass_process(*arguments: object, cwd: Path | None = None, user: int | None = None, **variables: str):
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "PYTHONUTF8": "1", **variables}
    return subprocess.run(
        [sys.executable, "-m", "node.cli", *map(str, arguments)],
        env={**environment, "PYTHONPATH": str(Path(__file__).parents[2])},
        cwd=cwd,
        user=user,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def test_help_names_every_command_and_every_exit_code(run):
    """What there is, and what a script may rely on."""
    ran = run("--help")
    assert ran.code == 0
    for name in wildgrass.list_commands(None):
        assert f"\n  {name} " in ran.out
    for code, meaning in EXIT_CODES:
        assert f"{code}  {meaning}" in ran.out


def test_every_command_explains_itself_and_takes_json_and_folder(run):
    """Noun, verb, and an answer for programs, everywhere."""
    for name in wildgrass.list_commands(None):
        for words in ways_to_verbs(wildgrass.get_command(None, name), [name]):
            ran = run(*words, "--help")
            assert ran.code == 0, words
            assert "--json" in ran.out, words
            assert "--folder" in ran.out, words


def ways_to_verbs(command, words):
    """The words of every command below a noun, which may have nouns below it."""
    below = getattr(command, "commands", None)
    if not below:
        return [words]
    return [way for name, each in below.items() for way in ways_to_verbs(each, [*words, name])]


def test_help_is_there_without_the_server_s_libraries():
    """An auditor installs click, msgspec, msgpack and cryptography, nothing of the server."""
    heavy = ["aiohttp", "sqlalchemy", "zeroconf", "jinja2", "babel", "alembic", "prometheus_client", "segno"]
    script = (
        "import sys; from node.cli import main; code = main(['--help']);"
        f"print([name for name in {heavy} if name in sys.modules]); sys.exit(code)"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "[]"


def test_init_founds_once_and_says_so_the_second_time(run, tmp_path):
    """The words are shown the first time, and never again."""
    folder = tmp_path / "node"
    first = run("init", "--folder", folder, "--name-zh", "青市", "--name-en", "Green Market", "--json")
    assert first.code == 0, first.err
    assert first.answer["founded"] is True
    assert len(entropy_of_words(first.answer["words"])) == 16
    vault = open_vault(folder)
    assert vault.genesis.name == {"zh-Hans": "青市", "en": "Green Market"}
    assert (vault.genesis.currency, vault.community_text) == ("EUR", first.answer["community"])
    second = run("init", "--folder", folder, "--json")
    assert (second.code, second.answer["founded"], second.answer["words"]) == (0, False, None)
    assert second.answer["community"] == first.answer["community"]


def test_init_puts_the_kit_into_a_new_file_for_this_user_alone(run, tmp_path):
    """Asked for a file, the words are printed nowhere; a file that stands is not touched."""
    kit = tmp_path / "papers" / "kit.txt"
    ran = run("init", "--folder", tmp_path / "a", "--kit-file", kit, "--language", "zh-Hans", "--json")
    assert (ran.code, ran.answer["words"]) == (0, None)
    assert kit.stat().st_mode & 0o777 == 0o600
    before = kit.read_bytes()
    other = run("init", "--folder", tmp_path / "b", "--kit-file", kit, "--json")
    assert (other.code, other.answer["error"]["code"]) == (4, "file_exists")
    assert kit.read_bytes() == before
    assert not (tmp_path / "b" / "keys").exists()


def test_init_on_a_terminal_prints_the_page(run, tmp_path):
    """The person is told to keep it, and what to type next."""
    ran = run("init", "--folder", tmp_path / "a", "--currency", "CNY")
    assert "EMERGENCY KIT" in ran.out
    assert ran.out.endswith("Start it with: wildgrass up\n")


@pytest.mark.parametrize(
    ("arguments", "variables", "code", "exit_code"),
    [
        (["nonsense"], {}, "usage_refused", 2),
        (["shop"], {}, None, 2),
        (["shop", "publish"], {}, "usage_refused", 2),
        (["shop", "list", "--colour", "red"], {}, "usage_refused", 2),
        (["shop", "list"], {}, "node_not_running", 3),
        (["init", "--currency", "XXX"], {}, "currency_unknown", 1),
        (["up", "--listen-http", "nowhere"], {}, "setting_refused", 4),
        (["status"], {"WILDGRASS_COLOUR": "red"}, "setting_unknown", 4),
        (["listing", "publish", "--file", "/no/such/file"], {}, "file_missing", 2),
        (["listing", "publish", "--price", "5"], {}, "usage_refused", 2),
        (["order", "place", "--line", "food"], {}, "usage_refused", 2),
        (["demo", "--replay", "x", "--sabotage"], {}, "usage_refused", 2),
        (["demo", "--replay", "x", "--communities", "1"], {}, "usage_refused", 2),
        (["demo", "--replay", "/no/such/folder"], {}, "file_missing", 2),
    ],
)
def test_every_mistake_is_a_sentence_with_its_exit_code(
    run, tmp_path, monkeypatch, arguments, variables, code, exit_code
):
    """Wrong usage 2, no node 3, this machine 4, refused 1; the same in JSON for a program."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("WILDGRASS_FOLDER", str(tmp_path / "node"))
    ran = run(*arguments, "--json") if code else run(*arguments)
    assert ran.code == exit_code, ran
    if code:
        assert ran.answer["error"]["code"] == code
        assert ran.err.startswith("wildgrass: ")
        assert "→" in ran.err


def test_an_odd_file_for_a_listing_is_refused_before_anything_is_asked(run, tmp_path):
    """No JSON, no object, too deep, not UTF-8."""
    path = tmp_path / "fields.json"
    for content in (b"", b"[]", b"{", b"\xff", b"[" * 100_000):
        path.write_bytes(content)
        ran = run("listing", "publish", "--file", path, "--folder", tmp_path, "--json")
        assert (ran.code, ran.answer["error"]["code"]) == (2, "usage_refused")


def test_status_without_a_node_shows_what_a_start_would_take(run, folder):
    """Exit code 3, and still every setting with its source."""
    (folder / "config.toml").write_text('follow_lan = "off"\n', "utf-8")
    ran = run("status", "--folder", folder, "--json")
    assert ran.code == 3
    assert ran.answer["running"] is False
    assert ran.answer["settings"]["follow_lan"] == {"value": "off", "origin": "file"}
    assert "config.toml" in run("status", "--folder", folder).out


def test_the_whole_command_speaks_chinese_where_the_locale_does(tmp_path):
    """Help, refusals and what click itself says."""
    chinese = {"LC_ALL": "zh_CN.UTF-8"}
    help_text = wildgrass_process("--help", **chinese).stdout
    assert "退出码" in help_text
    assert "选项" in help_text
    assert "Commands" not in help_text
    refused = wildgrass_process("shop", "list", "--folder", tmp_path / "x", "--json", **chinese)
    assert refused.returncode == 3
    assert json.loads(refused.stdout)["error"]["sentence"].endswith("。")
    assert (
        wildgrass_process("status", "--folder", tmp_path / "x", WILDGRASS_LANGUAGE="zh-Hans").returncode == 3
    )


def test_a_terminal_that_cannot_write_chinese_is_still_answered(tmp_path):
    """JSON is plain ASCII where the encoding is, and nothing ends in a traceback."""
    ran = wildgrass_process(
        *("init", "--folder", tmp_path / "n", "--name-zh", "青市", "--language", "zh-Hans", "--json"),
        LC_ALL="C",
        PYTHONUTF8="0",
        PYTHONCOERCECLOCALE="0",
        PYTHONIOENCODING="ascii:backslashreplace",
    )
    assert ran.returncode == 0, ran.stderr
    assert len(entropy_of_words(json.loads(ran.stdout)["words"])) == 16


def test_a_reader_that_has_seen_enough_is_no_mistake(tmp_path):
    """`wildgrass status | head -1` ends quietly."""
    script = f"{sys.executable} -m node.cli up --help | head -n 1; echo ${{PIPESTATUS[0]}}"
    ran = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert "Traceback" not in ran.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as somebody who may not write")
def test_a_read_only_folder_is_a_sentence(run, tmp_path):
    """Somebody who may not write there is told, and nothing is half made."""
    assert run("init", "--folder", tmp_path / "other", "--json").code == 0
    with TemporaryDirectory() as parent:
        Path(parent).chmod(0o755)
        for folder in (Path(parent) / "made", Path(parent) / "unmade"):
            if folder.name == "made":
                folder.mkdir(mode=0o555)
            os.seteuid(NOBODY)
            try:
                ran = run("init", "--folder", folder, "--json")
            finally:
                os.seteuid(0)
            assert (ran.code, ran.answer["error"]["code"]) == (4, "folder_read_only")
            assert not folder.exists() or list(folder.iterdir()) == []


def test_a_clock_of_1970_founds_nothing(tmp_path):
    """Where the clock can be faked for one process, init refuses with the sentence."""
    script = (
        "import sys, node.writer.clock as clock; clock.system_clock = lambda: 5_000;"
        "from node.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script, "init", "--folder", str(tmp_path / "n"), "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 4
    assert json.loads(ran.stdout.splitlines()[-1])["error"]["code"] == "clock_before_release"
    assert not (tmp_path / "n" / "keys").exists()


def running_at(port: int) -> RunningNode:
    return RunningNode(
        pid=1,
        http=f"127.0.0.1:{port}",
        federation="x",
        url="u",
        address="a",
        community="c",
        name={},
        started_ms=1,
        settings={},
    )


def test_a_node_that_does_not_answer_is_told_apart_from_none(run, folder):
    """The folder is held, but nobody listens: exit code 3 and what to look at."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    with claim_folder(folder):
        note_running(folder, running_at(port))
        ran = run("shop", "list", "--folder", folder, "--json")
    assert (ran.code, ran.answer["error"]["code"]) == (3, "node_silent")


class Odd(BaseHTTPRequestHandler):
    """Answers with what it is given, whatever is asked."""

    body = b""
    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b""),
        (200, b"<html>"),
        (200, b"[]"),
        (200, b"[" * 100_000),
        (200, b"\xff"),
        (500, b"{}"),
        (404, b'{"error": "no"}'),
        (404, b'{"error": {"code": 5}}'),
        (302, b"{}"),
    ],
)
def test_what_is_no_wildgrass_node_is_recognised(run, folder, status, body):
    """Another program took the port of a node: a sentence, no traceback."""
    handler = type("Given", (Odd,), {"status": status, "body": body})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        with claim_folder(folder):
            note_running(folder, running_at(server.server_port))
            ran = run("shop", "list", "--folder", folder, "--json")
        server.shutdown()
        thread.join()
    assert (ran.code, ran.answer["error"]["code"]) == (3, "node_answer_malformed")


def test_the_unit_and_the_container_file_name_this_folder(run, tmp_path):
    """Printed, not installed; blanks and percent signs survive systemd's reading."""
    folder = tmp_path / "a b%c"
    unit = run("service", "--print", "--kind", "systemd", "--folder", folder).out
    assert f"Environment=WILDGRASS_FOLDER={tmp_path}/a\\x20b%%c" in unit
    assert "ExecStart=" in unit
    both = run("service", "--print", "--folder", folder, "--json").answer
    assert both["systemd"] in unit
    assert 'CMD ["wildgrass", "up", "--no-qr"]' in both["container"]
    assert run("service").code == 2


def test_tables_count_chinese_characters_twice():
    """Columns stand under each other on a terminal."""
    assert [width(text) for text in ("abc", "猫粮", "e\u0301", "")] == [3, 4, 1, 0]
    assert table(["名", "b"], [["猫粮", "1"], ["x", "2"]]) == ["名    b", "猫粮  1", "x     2"]


def test_the_exit_codes_stand_in_the_readme_in_both_languages():
    """What a script relies on is written down where people look."""
    readme = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
    for code, meaning in EXIT_CODES:
        assert f"| {code} | {meaning} | {translate(meaning, CHINESE)} |" in readme
