"""What the node says to people: complete, in both languages, in one form."""

import re
import subprocess
import sys
from pathlib import Path
from string import Formatter

import pytest

from node.config import LISTED
from node.errors import (
    ENVIRONMENT,
    REFUSALS,
    REFUSED,
    SENTENCES,
    UNREACHABLE,
    UNREADABLE,
    NodeError,
    parted,
    report,
)
from node.locale import (
    CHINESE,
    ENGLISH,
    catalog,
    language_of,
    language_of_environment,
    pick_language,
    translate,
)
from node.version import VERSION
from protocol.error_codes import SENTENCES as PROTOCOL
from protocol.errors import AuditError, RecordVoid
from storage.errors import SENTENCES as STORAGE
from storage.errors import StorageError

ROOT = Path(__file__).resolve().parents[2]


def test_every_sentence_is_a_cause_and_a_next_step_in_both_languages():
    """The first full stop parts them; neither part is ever empty."""
    for table in (SENTENCES, PROTOCOL, STORAGE):
        for code, sentence in table.items():
            for language in (ENGLISH, CHINESE):
                cause, next_step = parted(translate(sentence, language))
                assert cause, (code, language)
                assert next_step, (code, language)


def test_every_message_has_a_chinese_one_and_the_files_are_in_step():
    """`scripts/catalogs --check` finds nothing missing, in tables, commands, settings and pages."""
    ran = subprocess.run(
        [sys.executable, ROOT / "scripts" / "catalogs", "--check"],
        capture_output=True,
        text=True,
        check=False,
        encoding="utf-8",
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_translations_fill_in_the_same_particulars():
    """A placeholder that is missing or misspelt would end in a traceback, in Chinese only."""
    chinese = catalog(CHINESE)._catalog
    for message, translation in chinese.items():
        if isinstance(message, str) and message:
            assert fields(translation) <= fields(message) | {
                "len",
                "nargs",
                "len_value",
                "choices",
                "formats",
            }, message


def fields(text: str) -> set[str]:
    return {name.split("!")[0] for _, name, _, _ in Formatter().parse(text.replace("%(", "(")) if name}


def test_every_setting_explains_itself_in_chinese():
    """--help shows them all."""
    for key in LISTED:
        assert translate(key.summary, CHINESE) != key.summary


def test_a_code_is_said_in_one_place_at_least():
    """No sentence without somebody who says it, and nobody who says an unknown code."""
    said, raised = set(), set()
    for path in [*(ROOT / "node").rglob("*.py"), ROOT / "protocol" / "exchange" / "resuming.py"]:
        if path.name != "errors.py":
            said |= set(re.findall(r'"([a-z_]+)"', path.read_text("utf-8")))
            raised |= set(re.findall(r'NodeError\(\s*"(\w+)"', path.read_text("utf-8")))
    mapped = set(re.findall(r'errno\.\w+: "(\w+)"', (ROOT / "node" / "errors.py").read_text("utf-8")))
    assert raised <= set(SENTENCES)
    assert set(SENTENCES) <= said | mapped | {"memory_exhausted", "system_refused", "node_silent"}


@pytest.mark.parametrize(
    ("error", "code", "status", "exit_code"),
    [
        (NodeError("port_busy"), "port_busy", 503, ENVIRONMENT),
        (NodeError("node_not_running"), "node_not_running", 503, UNREACHABLE),
        (NodeError("usage_refused"), "usage_refused", 503, UNREADABLE),
        (NodeError("not_found"), "not_found", 404, REFUSED),
        (NodeError("setting_refused"), "setting_refused", 422, ENVIRONMENT),
        (RecordVoid("body_refused"), "body_refused", 422, REFUSED),
        (AuditError("file_unreadable"), "file_unreadable", 422, UNREADABLE),
        (StorageError("storage_full"), "storage_full", 507, ENVIRONMENT),
        (StorageError("stock_short"), "stock_short", 409, REFUSED),
        (OSError(28, "No space left on device", "/data"), "disk_full", 507, ENVIRONMENT),
        (OSError(30, "Read-only file system"), "folder_read_only", 503, ENVIRONMENT),
        (FileNotFoundError(2, "No such file", "x"), "file_missing", 503, UNREADABLE),
        (ConnectionRefusedError(111, "refused"), "node_silent", 503, UNREACHABLE),
        (TimeoutError("late"), "node_silent", 503, UNREACHABLE),
        (OSError(9_999, "odd"), "system_refused", 503, ENVIRONMENT),
        (OSError("no number"), "system_refused", 503, ENVIRONMENT),
        (MemoryError(), "memory_exhausted", 503, ENVIRONMENT),
    ],
)
def test_every_refusal_is_told_in_one_form(error, code, status, exit_code):
    """Code, cause, next step, HTTP status and exit code, whoever refused."""
    assert isinstance(error, REFUSALS)
    for language in (ENGLISH, CHINESE):
        said = report(error, language=language)
        assert (said.code, said.status, said.exit_code) == (code, status, exit_code)
        assert said.sentence
        assert said.next_step
        assert set(said.as_json()) == {"code", "sentence", "detail", "next_step"}


def test_a_bug_is_not_told_as_a_refusal():
    """It has to be seen, with its traceback."""
    with pytest.raises(TypeError):
        report(ZeroDivisionError(), language=ENGLISH)


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("zh-CN", "zh-Hans"),
        ("zh-TW,en;q=0.9", "zh-Hans"),
        ("en-US,en;q=0.9,zh;q=0.8", "en"),
        ("fr,de;q=0.9", "en"),
        ("fr,zh;q=0.1", "zh-Hans"),
        ("zh;q=0,en;q=0.001", "en"),
        ("zh;q=1.000,en;q=0.999", "zh-Hans"),
        ("zh;q=oops,en", "en"),
        ("zh;q=-1", "en"),
        ("zh;level=1", "en"),
        (";;;,,,q=1", "en"),
        ("*," * 1000 + "zh", "en"),
        ("zh;q=٠.٩", "en"),
    ],
)
def test_the_language_is_the_one_that_was_asked_for(header, language):
    """Weights count, nonsense does not, and a long header is not read to its end."""
    assert pick_language(header) == language


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh-Hans"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LANG": "en_US.UTF-8", "LC_MESSAGES": "zh_CN"}, "zh-Hans"),
        ({"LANG": "en_US.UTF-8", "LANGUAGE": "zh_CN:en"}, "zh-Hans"),
        ({"LANG": "C.UTF-8", "LANGUAGE": "zh_CN"}, "en"),
        ({"LANG": "de_DE", "LANGUAGE": "fr:de"}, "en"),
        ({"WILDGRASS_LANGUAGE": "zh-Hans", "LC_ALL": "C"}, "zh-Hans"),
        ({"WILDGRASS_LANGUAGE": "klingon", "LANG": "zh_CN"}, "zh-Hans"),
    ],
)
def test_the_language_of_the_machine_is_read_as_the_system_reads_it(environment, language):
    """Our own variable first, then LC_ALL, LC_MESSAGES, LANG, with LANGUAGE where a locale is set."""
    assert language_of_environment(environment) == language


def test_tags_of_both_writings_are_understood():
    """Underscore or hyphen, with or without a region or an encoding."""
    assert [language_of(tag) for tag in ("zh", "ZH-hant-TW", "zh_CN.UTF-8", "en", "eng", "")] == [
        *[CHINESE] * 3,
        ENGLISH,
        None,
        None,
    ]


def test_the_version_is_that_of_the_project():
    """People, peers and monitoring see what was installed."""
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    assert f'\nversion = "{VERSION}"\n' in text
