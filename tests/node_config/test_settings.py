"""Settings come from flags, environment, file and pages, in that order, each with one owner."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.config import KEYS, LISTED, Listen, read_sources
from node.config.settings import CONFIG_FILE, Settings
from node.errors import NodeError


def read(folder: Path, toml: str = "", flags=None, pages=None, **variables: str) -> Settings:
    if toml:
        (folder / CONFIG_FILE).write_text(toml, "utf-8")
    environment = {f"WILDGRASS_{name.upper()}": value for name, value in variables.items()}
    sources = read_sources(flags={"folder": str(folder), **(flags or {})}, environment=environment)
    return sources.settings(pages)


def test_the_closest_source_wins_and_is_remembered(tmp_path):
    """Flag before variable before file before pages before default."""
    toml, pages = 'follow_lan = "off"', {"follow_lan": "auto"}
    assert read(tmp_path).follow_lan == "ask"
    assert read(tmp_path, pages=pages).origin_of("follow_lan") == "pages"
    by_file = read(tmp_path, toml, pages=pages)
    assert (by_file.follow_lan, by_file.origin_of("follow_lan")) == ("off", "file")
    by_variable = read(tmp_path, toml, pages=pages, follow_lan="ask")
    assert (by_variable.follow_lan, by_variable.origin_of("follow_lan")) == ("ask", "environment")
    by_flag = read(tmp_path, toml, {"follow_lan": "auto"}, pages, follow_lan="ask")
    assert (by_flag.follow_lan, by_flag.origin_of("follow_lan")) == ("auto", "flag")


def test_every_key_is_a_field_and_every_field_a_key():
    """One table of names: what can be read is what can be said."""
    assert set(Settings.__dataclass_fields__) == {"folder", "origins", *KEYS}
    assert len(KEYS) == len(LISTED)


def test_every_default_is_what_its_own_reader_accepts():
    """A default written out in a file means the same as a default left out."""
    for key in LISTED:
        said = str(key.default) if isinstance(key.default, Listen) else key.default
        assert key.read(said) == key.default


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("listen_http", "8470"),
        ("listen_http", "0.0.0.0:70000"),
        ("listen_http", "0.0.0.0:40000"),
        ("listen_http", "shop.example:8470"),
        ("listen_http", "user:secret@127.0.0.1:8470"),
        ("listen_federation", "::1:8471"),
        ("peers", "10.0.0.2"),
        ("peers", ",".join(["10.0.0.2:8471"] * 65)),
        ("mdns", "perhaps"),
        ("follow_lan", "always"),
        ("language", "fr"),
        ("public_url", "shop.example"),
        ("public_url", "https://shop.example/path"),
        ("requests_max", "0"),
        ("requests_max", "-5"),
        ("requests_max", "٥"),
        ("database_url", "two\nlines"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_with_its_name(tmp_path, name, value):
    """The sentence names the setting; nothing falls back to a default in silence."""
    with pytest.raises(NodeError) as refused:
        read(tmp_path, flags={name: value})
    assert refused.value.code == "setting_refused"
    assert "--" + name.replace("_", "-") in refused.value.detail


def test_a_secret_is_never_repeated(tmp_path):
    """A database address holds a password: neither status nor refusal shows it."""
    with pytest.raises(NodeError) as refused:
        read(tmp_path, database_url="postgresql://me:hunter2@host/db\x00")
    assert "hunter2" not in str(refused.value)
    shown = read(tmp_path, database_url="postgresql://me:hunter2@host/db").shown()
    assert shown["database_url"] == {"value": "set", "origin": "environment"}
    assert "hunter2" not in str(shown)


def test_an_unknown_name_is_refused_and_the_nearest_known_one_named(tmp_path):
    """A misspelt setting must not be ignored."""
    for give in (
        lambda: read(tmp_path, listen_htp="0.0.0.0:8470"),
        lambda: read(tmp_path, 'listen_htp = "0.0.0.0:8470"'),
    ):
        with pytest.raises(NodeError) as refused:
            give()
        assert refused.value.code == "setting_unknown"
        assert "listen_http?" in refused.value.detail


def test_a_file_may_hold_the_value_of_a_variable_but_not_besides_it(tmp_path):
    """WILDGRASS_<NAME>_FILE is how a container hands in a secret."""
    secret = tmp_path / "secret"
    secret.write_text("postgresql:///shop\n", "utf-8")
    assert read(tmp_path, database_url_file=str(secret)).database_url == "postgresql:///shop"
    with pytest.raises(NodeError) as twice:
        read(tmp_path, database_url_file=str(secret), database_url="postgresql:///other")
    assert twice.value.code == "setting_twice"
    with pytest.raises(NodeError) as missing:
        read(tmp_path, database_url_file=str(tmp_path / "none"))
    assert missing.value.code == "setting_refused"


def test_a_file_that_is_no_toml_is_named_with_its_line(tmp_path):
    """The steward is told which line to mend."""
    with pytest.raises(NodeError) as refused:
        read(tmp_path, "listen_http = \n")
    assert refused.value.code == "settings_malformed"
    assert "line 1" in refused.value.detail


def test_what_the_pages_may_set_is_checked_before_it_is_kept(tmp_path):
    """A setting that is fixed at the start, unknown, not for the pages, or malformed is refused there."""
    sources = read_sources(
        flags={"folder": str(tmp_path)}, environment={"WILDGRASS_FOLLOW_LAN": "off", "XDG_DATA_HOME": "/x"}
    )
    sources.check_pages_may_set("language", "zh_CN")
    for name, value, code in [
        ("follow_lan", "auto", "setting_owned"),
        ("database_url", "postgresql:///x", "setting_unknown"),
        ("colour", "green", "setting_unknown"),
        ("language", "fr", "setting_refused"),
    ]:
        with pytest.raises(NodeError) as refused:
            sources.check_pages_may_set(name, value)
        assert refused.value.code == code


def test_a_page_never_keeps_a_node_from_starting(tmp_path):
    """What another version left among the settings of the pages is passed over."""
    settings = read(tmp_path, pages={"follow_lan": "sometimes", "mdns": "off", "gone": "1"})
    assert (settings.follow_lan, settings.mdns) == ("ask", True)


def test_the_folder_comes_from_flag_variable_or_the_user_s_own_place(tmp_path):
    """A service says where; a person need not."""
    environment = {"XDG_DATA_HOME": str(tmp_path), "WILDGRASS_FOLDER": str(tmp_path / "a")}
    assert read_sources(flags={"folder": "b"}, environment=environment).folder == Path("b").absolute()
    assert read_sources(flags={}, environment=environment).folder == tmp_path / "a"
    del environment["WILDGRASS_FOLDER"]
    assert read_sources(flags={}, environment=environment).folder == tmp_path / "wildgrass"


@settings(max_examples=200)
@given(st.text(max_size=60) | st.integers() | st.booleans() | st.lists(st.text(max_size=9), max_size=3))
def test_a_reader_returns_a_value_or_says_why_not(value):
    """Whatever stands in a file, a reader never fails in another way."""
    for key in LISTED:
        with suppress(ValueError):
            key.read(value)
