"""Settings from all their sources, in the one order of precedence."""

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from node.config.keys import KEYS, LISTED, Key, Listen
from node.errors import NodeError

Origin = Literal["flag", "environment", "file", "pages", "default"]

CONFIG_FILE = "config.toml"
PREFIX = "WILDGRASS_"

_FILE_SUFFIX = "_FILE"
_FILE_BYTES_MAX = 65_536
_OTHERS = frozenset({"WILDGRASS_SHARED"})  # the tests' own


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting with the value that holds; see `node.config.keys` for what each one means."""

    folder: Path
    listen_http: Listen
    listen_federation: Listen
    listen_proxied: Listen | None
    database_url: str
    guard_url: str
    language: str
    peers: tuple[str, ...]
    follow_lan: Literal["off", "ask", "auto"]
    mdns: bool
    bootstrap: tuple[str, ...]
    reached_at: tuple[str, ...]
    region: str
    public_url: str
    open_to_internet: bool
    relay_for: Literal["followed", "named", "off"]
    relay_objects_max: int
    relay_bytes_max: int
    relay_days: int
    log_level: Literal["debug", "info", "warning", "error"]
    requests_max: int
    request_bytes_max: int
    memory_bytes: int
    sessions_max: int
    peer_bytes_second: int
    peer_bytes_burst: int
    peer_requests_second: int
    quota_lane_bytes: int
    quota_community_bytes: int
    quota_all_bytes: int
    origins: Mapping[str, Origin]

    def origin_of(self, name: str) -> Origin:
        """Return which source a setting's value came from."""
        return self.origins[name]

    def shown(self) -> dict[str, dict[str, Any]]:
        """Return name -> {"value", "origin"} for people; a secret's value is only said to be set."""
        return {
            field.name: {
                "value": _shown(field.name, getattr(self, field.name)),
                "origin": self.origins[field.name],
            }
            for field in fields(self)
            if field.name != "origins"
        }


class Sources:
    """What flags, environment and file say; the pages' part is known only once the store is open."""

    def __init__(
        self, folder: Path, folder_origin: Origin, layers: Mapping[Origin, Mapping[str, Any]]
    ) -> None:
        """Take typed values by source; use `read_sources`."""
        self.folder = folder
        self._folder_origin = folder_origin
        self._layers = layers

    def settings(self, pages: Mapping[str, str] | None = None) -> Settings:
        """Return the settings, with those that the steward set in the pages where nobody closer did.

        What an older or newer version left there under a name or value that is no longer known is passed
        over: a page must never keep a node from starting.
        """
        values: dict[str, Any] = {"folder": self.folder}
        origins: dict[str, Origin] = {"folder": self._folder_origin}
        layers: dict[Origin, Mapping[str, Any]] = {**self._layers, "pages": _readable(pages or {})}
        for key in LISTED:
            values[key.name], origins[key.name] = key.default, "default"
            for origin in _PRECEDENCE:
                if key.name in layers[origin]:
                    values[key.name], origins[key.name] = layers[origin][key.name], origin
                    break
        return Settings(**values, origins=origins)

    def check_pages_may_set(self, name: str, value: str) -> None:
        """Refuse a change in the pages of a setting that is unknown, fixed elsewhere, or malformed."""
        key = KEYS.get(name)
        if key is None or not key.in_pages:
            raise NodeError("setting_unknown", name)
        owner = next((origin for origin, layer in self._layers.items() if name in layer), None)
        if owner is not None:
            raise NodeError("setting_owned", f"{name}, {owner}")
        _typed(key, value, where=name)


_PRECEDENCE: tuple[Origin, ...] = ("flag", "environment", "file", "pages")


def read_sources(*, flags: Mapping[str, Any], environment: Mapping[str, str]) -> Sources:
    """Read flags (by name of setting, None where not given), environment and file.

    Raises `NodeError` for an unknown name, a value that cannot be used, or a file that cannot be read.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    variables = _variables(environment)
    folder, folder_origin = _folder(given.pop("folder", None), variables.pop("folder", None), environment)
    layers: dict[Origin, Mapping[str, Any]] = {
        "flag": {name: _typed(_key(name), value, where=_flag(name)) for name, value in given.items()},
        "environment": {
            name: _typed(_key(name, PREFIX + name.upper()), value, where=PREFIX + name.upper())
            for name, value in variables.items()
        },
        "file": _from_file(folder / CONFIG_FILE),
    }
    return Sources(folder, folder_origin, layers)


def default_folder(environment: Mapping[str, str]) -> Path:
    """Return where data lies when nobody says where: the XDG data folder of this user."""
    home = environment.get("XDG_DATA_HOME", "")
    return (Path(home) if home.startswith("/") else Path("~/.local/share").expanduser()) / "wildgrass"


def _folder(flag: Any, variable: str | None, environment: Mapping[str, str]) -> tuple[Path, Origin]:
    if flag is not None:
        return Path(flag).expanduser().absolute(), "flag"
    if variable:
        return Path(variable).expanduser().absolute(), "environment"
    return default_folder(environment), "default"


def _variables(environment: Mapping[str, str]) -> dict[str, str]:
    """WILDGRASS_<NAME> by name of setting; WILDGRASS_<NAME>_FILE is read."""
    found: dict[str, str] = {}
    for variable, value in environment.items():
        if not variable.startswith(PREFIX) or variable in _OTHERS:
            continue
        name = variable.removeprefix(PREFIX).lower()
        if name not in KEYS and variable.endswith(_FILE_SUFFIX):
            name = name.removesuffix(_FILE_SUFFIX.lower())
            if PREFIX + name.upper() in environment:
                raise NodeError("setting_twice", f"{PREFIX}{name.upper()}, {variable}")
            value = _read_value(value, variable)  # noqa: PLW2901  the file's content stands for its name
        found[name] = value
    return found


def _read_value(path: str, variable: str) -> str:
    """A secret handed in as a file, without the line end that editors add."""
    try:
        raw = Path(path).read_bytes()[: _FILE_BYTES_MAX + 1]
        return raw.decode("utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise NodeError("setting_refused", f"{variable}: {path} cannot be read") from error


def _from_file(path: Path) -> dict[str, Any]:
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return {}
    except NotADirectoryError as error:
        raise NodeError("folder_unusable", str(path.parent)) from error
    try:
        values = tomllib.loads(raw.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise NodeError("settings_malformed", f"{path}: {error}") from error
    return {
        name: _typed(_key(name, f"{path}: {name}"), value, where=f"{path}: {name}")
        for name, value in values.items()
    }


def _key(name: str, where: str = "") -> Key:
    key = KEYS.get(name)
    if key is None:
        close = difflib.get_close_matches(name, KEYS, n=1)
        raise NodeError("setting_unknown", (where or name) + (f" → {close[0]}?" if close else ""))
    return key


def _typed(key: Key, value: Any, *, where: str) -> Any:
    try:
        return key.read(value)
    except ValueError as error:
        shown = "…" if key.is_secret else repr(value)[:120]
        raise NodeError("setting_refused", f"{where} = {shown}: {error}") from error


def _readable(pages: Mapping[str, str]) -> dict[str, Any]:
    found = {}
    for name, value in pages.items():
        key = KEYS.get(name)
        if key is not None and key.in_pages:
            try:
                found[name] = key.read(value)
            except ValueError:
                continue
    return found


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _shown(name: str, value: Any) -> Any:
    key = KEYS.get(name)
    if key is not None and key.is_secret:
        return "set" if value else ""
    if name in ("peers", "bootstrap", "reached_at"):
        return list(value)
    return value if isinstance(value, bool | int) else str(value if value is not None else "")
