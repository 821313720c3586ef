"""PROTOCOL.md prints what the code says: limits, error codes, and every section that the code points at."""

import re
import subprocess
import sys

from protocol import limits
from protocol.error_codes import SENTENCES
from tests.house.tree import ROOT, place, python_files

PROTOCOL = (ROOT / "PROTOCOL.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (\d+)\. .*\n((?:(?!^## ).*\n)*)", PROTOCOL, re.MULTILINE))


def test_the_written_tables_are_those_of_the_code() -> None:
    """`scripts/tables` would change nothing."""
    command = [sys.executable, "scripts/tables", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_limit_stands_in_section_3_with_its_number() -> None:
    """Found by their own look, not by the script that wrote them."""
    printed = dict(re.findall(r"^\| `([A-Z0-9_]+)` \| (-?\d+) \|", SECTIONS["3"], re.MULTILINE))
    named = {name: str(value) for name, value in vars(limits).items() if name.isupper()}
    assert printed == named


def test_every_error_code_stands_in_section_20_once() -> None:
    """A code that is missing there could not be read by another implementation."""
    printed = re.findall(r"^\| `([a-z0-9_]+)` \|", SECTIONS["20"], re.MULTILINE)
    assert sorted(printed) == sorted(SENTENCES)


def test_every_code_has_a_sentence_that_says_what_to_do() -> None:
    """At least two sentences: what happened, and the next step."""
    short = [
        code for code, text in SENTENCES.items() if not re.fullmatch(r"[A-Z].*[.;:?] .+[.]", text, re.DOTALL)
    ]
    assert not short, "\n".join(short)


def test_every_section_that_the_code_names_exists() -> None:
    """A module that implements section 23 implements nothing."""
    found = []
    for path in python_files("node", "protocol", "storage"):
        for mention in re.finditer(
            r"PROTOCOL\.md,? sections? ([\d, and-]+)", path.read_text(encoding="utf-8")
        ):
            missing = set(re.findall(r"\d+", mention[1])) - set(SECTIONS)
            found += [f"{place(path)} names section {number}" for number in sorted(missing)]
    assert not found, "\n".join(found)
