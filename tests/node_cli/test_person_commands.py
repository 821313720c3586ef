"""`wildgrass person` and the routes behind it: a steward who is locked out gets in again at the machine."""

import json
from pathlib import Path
from typing import Any

import pytest

from node.cli import main
from node.client import connect
from node.errors import ApiRefusal


@pytest.fixture
def person(run: Any, served: Path) -> Any:
    """`person("admit", "Lin")` runs that command on the running node."""
    return lambda *words: run("person", *words, "--folder", served)


def code_of(ran: Any) -> str:
    """What a refusal that was asked for with --json says."""
    assert ran.code == 1, ran.out
    return str(ran.answer["error"]["code"])


def test_people_are_admitted_given_roles_and_dismissed(person: Any) -> None:
    """By name in any case or by id; the list says how each may come in."""
    assert person("admit", "林小红", "--role", "steward").out.startswith("Admitted. Person: ")
    bo = person("admit", "Bo", "--json").answer
    assert (bo["role"], bo["has_password"]) == ("member", False)
    assert code_of(person("admit", "bO", "--json")) == "person_name_taken"
    assert person("role", "bo", "shopkeeper").out == "Bo: Shopkeeper\n"
    assert person("dismiss", bo["person_id"]).out == "Dismissed: Bo\n"
    listed = person("list").out.splitlines()
    assert [line.split()[0] for line in listed] == ["Name", "林小红", "Bo"]
    assert "by link only" in listed[1]
    assert "dismissed 2" in listed[2]
    assert code_of(person("dismiss", "Bo", "--json")) == "not_found"
    assert code_of(person("role", bo["person_id"], "member", "--json")) == "not_found"
    assert code_of(person("dismiss", "林小红", "--json")) == "last_steward"
    assert code_of(person("role", "林小红", "member", "--json")) == "last_steward"


def test_a_link_is_made_at_the_machine(person: Any, served: Path) -> None:
    """A whole address, valid as long as was asked, and another one each time."""
    person("admit", "Lin", "--role", "steward")
    url = json.loads((served / "node.json").read_bytes())["url"]
    first = person("link", "LIN", "--hours", "1", "--json").answer
    assert first["url"] == f"{url}/login/{first['token']}"
    shown = person("link", "Lin").out
    assert shown.startswith(f"Log in once:  {url}/login/")
    assert first["token"] not in shown
    assert code_of(person("link", "nobody", "--json")) == "not_found"
    assert code_of(person("link", "Lin", "--hours", "169", "--json")) == "request_field_refused"


def test_sessions_are_listed_and_ended_over_the_api(person: Any, served: Path) -> None:
    """Whoever has the folder's token sees no session where none is, and ends none."""
    lin = person("admit", "Lin", "--json").answer["person_id"]
    with connect(served) as client:
        assert client.call("GET", f"/people/{lin}/sessions") == {"sessions": []}
        assert client.call("POST", f"/people/{lin}/sessions/{'a' * 26}/end") == {"ended": 0}
        with pytest.raises(ApiRefusal) as refused:
            client.call("POST", "/people", {"name": "Bo", "role": "owner"})
        assert refused.value.said.code == "request_field_refused"


def test_people_are_spoken_of_in_chinese(
    person: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Roles, states and refusals."""
    monkeypatch.setenv("WILDGRASS_LANGUAGE", "zh-Hans")
    person("admit", "林小红", "--role", "steward")
    assert "管事人" in person("list").out
    assert "请先让另一个人做管事人" in person("dismiss", "林小红").err
    assert main(["person", "--help"]) == 0
    assert "link" in capsys.readouterr().out
