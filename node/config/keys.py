"""Every setting: its name, how a text becomes its value, its default, and what it is for.

A reader takes what a flag or a variable says (text) or what TOML says (a value), and returns the typed
value or raises ValueError with the reason, which becomes the detail of `setting_refused`.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from node.locale import LANGUAGES, language_of
from protocol.limits import (
    ADDRESSES_MAX,
    FRAME_BYTES_MAX,
    GRANT_BYTES_BURST,
    GRANT_BYTES_SECOND,
    GRANT_BYTES_SECOND_MIN,
    GRANT_REQUESTS_SECOND,
    INTEGER_MAX,
    RELAY_BYTES_MAX,
    RELAY_DAYS_MAX,
    RELAY_OBJECTS_MAX,
    REQUESTS_MAX,
    SEALED_BYTES_MAX,
    SESSIONS_MAX,
)

PORT_MAX = 32_767  # those above belong to outgoing connections
HTTP_PORT = 8470
FEDERATION_PORT = 8471
PEERS_MAX = 64
MEMORY_BYTES_MIN = 67_108_864  # below it nothing large fits beside a few sessions
DIALS_OUT_ONLY = "none"
TEXT_CHARACTERS_MAX = 1_000

_ANY_PORT_MAX = 65_535

_FLAGS = dict.fromkeys(("1", "true", "yes", "on"), True) | dict.fromkeys(("0", "false", "no", "off"), False)
_ADDRESS = re.compile(r"(?:\[(?P<six>[0-9a-fA-F:.]+)\]|(?P<host>[^\[\]:/@\s]+)):(?P<port>[0-9]{1,5})")


class Listen(NamedTuple):
    """Where to listen: an address of this machine, or 0.0.0.0 for all; port 0 lets the system choose."""

    host: str
    port: int

    def __str__(self) -> str:
        """As it is written in the settings."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One setting. `in_pages` says that a steward may set it there; a secret is never shown."""

    name: str
    read: Callable[[Any], Any]
    default: Any
    summary: str
    in_pages: bool = False
    is_secret: bool = False


def read_text(value: Any) -> str:
    """A text of one line, at most `TEXT_CHARACTERS_MAX` long."""
    if not isinstance(value, str) or len(value) > TEXT_CHARACTERS_MAX or not value.isprintable():
        raise ValueError("give one line of text")
    return value.strip()


def read_memory(value: Any) -> int:
    """0, or a number of bytes in which a node can work."""
    number = read_count(0, 2**40)(value)
    if 0 < number < MEMORY_BYTES_MIN:
        raise ValueError(f"give 0, or at least {MEMORY_BYTES_MIN}")
    return number


def read_flag(value: Any) -> bool:
    """A yes or a no."""
    word = str(value).strip().lower()
    if word not in _FLAGS:
        raise ValueError("give on or off")
    return _FLAGS[word]


def read_count(minimum: int, maximum: int) -> Callable[[Any], int]:
    """A whole number from `minimum` to `maximum`."""

    def read(value: Any) -> int:
        text = str(value).strip()
        is_number = text.isascii() and text.isdigit() and len(text) <= len(str(maximum))
        if isinstance(value, bool) or not is_number or not minimum <= int(text) <= maximum:
            raise ValueError(f"give a whole number from {minimum} to {maximum}")
        return int(text)

    return read


def read_choice(*choices: str) -> Callable[[Any], str]:
    """One of some words."""

    def read(value: Any) -> str:
        if value not in choices:
            raise ValueError(f"choose one of: {', '.join(choices)}")
        return str(value)

    return read


def read_language(value: Any) -> str:
    """One of our languages, however its tag is written, or nothing: then the reader's own."""
    language = language_of(value) if isinstance(value, str) else None
    if value and language is None:
        raise ValueError(f"choose one of: {', '.join(LANGUAGES)}")
    return language or ""


def read_listen(value: Any) -> Listen:
    """An address of this machine and a port below 32768, such as 0.0.0.0:8470 or [::]:8470."""
    host, port = _split_address(value)
    try:
        ip_address(host)
    except ValueError as error:
        if host != "localhost":
            raise ValueError("begin with an address in digits, such as 0.0.0.0 or 127.0.0.1") from error
        host = "127.0.0.1"
    if port > PORT_MAX:
        raise ValueError(f"choose a port below {PORT_MAX + 1}")
    return Listen(host, port)


def read_listen_proxied(value: Any) -> Listen | None:
    """As above, or nothing."""
    return read_listen(value) if value else None


def read_peers(value: Any) -> tuple[str, ...]:
    """Addresses host:port of other nodes; in a text, commas stand between them."""
    texts = value.split(",") if isinstance(value, str) else value
    if not isinstance(texts, list | tuple) or len(texts) > PEERS_MAX:
        raise ValueError(f"give at most {PEERS_MAX} addresses with commas between them")
    peers = [text.strip() if isinstance(text, str) else text for text in texts]
    for peer in filter(None, peers):
        _split_address(peer)
    return tuple(dict.fromkeys(peer for peer in peers if peer))


def read_reached_at(value: Any) -> tuple[str, ...]:
    """Addresses at which others reach this node: host:port or wss://host; "none" alone: it only dials out."""
    from protocol.exchange.addresses import parse_address  # most commands need no cryptography

    texts = value.split(",") if isinstance(value, str) else value
    if not isinstance(texts, list | tuple) or len(texts) > ADDRESSES_MAX:
        raise ValueError(f"give at most {ADDRESSES_MAX} addresses with commas between them")
    words = [text.strip() if isinstance(text, str) else "" for text in texts]
    if words == [DIALS_OUT_ONLY]:
        return (DIALS_OUT_ONLY,)
    return tuple(dict.fromkeys(parse_address(word).text for word in words if word))


def read_region(value: Any) -> str:
    """A country or a part of one as in ISO 3166, such as CN-33 or DE, or nothing."""
    from protocol.exchange.addresses import REGION  # as above

    text: str = read_text(value).upper()
    if text and not REGION.fullmatch(text):
        raise ValueError("give a code of ISO 3166, such as CN-33 or DE")
    return text


def read_public_url(value: Any) -> str:
    """The address under which the internet reaches the node, without a path, or nothing."""
    text = read_text(value)
    parts = urlsplit(text)
    if text and (parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/")):
        raise ValueError("give http:// or https:// and a host, without a path")
    return text.rstrip("/")


def _split_address(value: Any) -> tuple[str, int]:
    found = _ADDRESS.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise ValueError("give host:port")
    port = int(found["port"])
    if port > _ANY_PORT_MAX:
        raise ValueError(f"a port is at most {_ANY_PORT_MAX}")
    return found["six"] or found["host"], port


LISTED = (
    Key(
        name="listen_http",
        read=read_listen,
        default=Listen("0.0.0.0", HTTP_PORT),  # noqa: S104  the middleware keeps strangers out
        summary="Where pages, API and tiles are served: host:port.",
    ),
    Key(
        name="listen_federation",
        read=read_listen,
        default=Listen("0.0.0.0", FEDERATION_PORT),  # noqa: S104  other communities dial this one
        summary="Where other communities' nodes connect: host:port.",
    ),
    Key(
        name="listen_proxied",
        read=read_listen_proxied,
        default=None,
        summary="Where a proxy that holds the certificate of reached_at hands over federation sessions, without "
        "TLS: host:port.",
    ),
    Key(
        name="database_url",
        read=read_text,
        default="",
        summary="PostgreSQL URL; without one the data lies in the folder.",
        is_secret=True,
    ),
    Key(
        name="guard_url",
        read=read_text,
        default="",
        summary="PostgreSQL URL of the guard database; without one it stands beside the main one.",
        is_secret=True,
    ),
    Key(
        name="language",
        read=read_language,
        default="",
        summary="en or zh-Hans; without one that of the reader.",
        in_pages=True,
    ),
    Key(
        name="peers",
        read=read_peers,
        default=(),
        summary="Other nodes to connect to: host:port, with commas between them.",
    ),
    Key(
        name="bootstrap",
        read=read_peers,
        default=(),
        summary="Nodes to ask for others while this one knows nobody: host:port, with commas between them.",
    ),
    Key(
        name="reached_at",
        read=read_reached_at,
        default=(),
        summary="Where others reach this node: host:port or wss://host, with commas between them; none: it only "
        "dials out; without one the addresses of this machine.",
        in_pages=True,
    ),
    Key(
        name="region",
        read=read_region,
        default="",
        summary="Where the community is, as in ISO 3166: CN-33 or DE; others find it by that.",
        in_pages=True,
    ),
    Key(
        name="follow_lan",
        read=read_choice("off", "ask", "auto"),
        default="ask",
        summary="What to do with communities found on the local network: off, ask or auto.",
        in_pages=True,
    ),
    Key(
        name="mdns",
        read=read_flag,
        default=True,
        summary="Whether to look for neighbours on the local network and be found there.",
    ),
    Key(
        name="public_url",
        read=read_public_url,
        default="",
        summary="The address under which the internet reaches this node.",
        in_pages=True,
    ),
    Key(
        name="open_to_internet",
        read=read_flag,
        default=False,
        summary="Whether to answer HTTP from outside loopback and private networks.",
        in_pages=True,
    ),
    Key(
        name="relay_for",
        read=read_choice("followed", "named", "off"),
        default="followed",
        summary="For whom this node keeps sealed parts: followed communities, those named, or off for nobody.",
        in_pages=True,
    ),
    Key(
        name="relay_objects_max",
        read=read_count(4, RELAY_OBJECTS_MAX),
        default=1_024,
        summary="How many sealed parts may wait here for one community.",
    ),
    Key(
        name="relay_bytes_max",
        read=read_count(4 * SEALED_BYTES_MAX, RELAY_BYTES_MAX),
        default=16 * 1_048_576,
        summary="How many bytes of sealed parts may wait here for one community.",
    ),
    Key(
        name="relay_days",
        read=read_count(1, RELAY_DAYS_MAX),
        default=14,
        summary="For how many days sealed parts are kept here.",
    ),
    Key(
        name="log_level",
        read=read_choice("debug", "info", "warning", "error"),
        default="info",
        summary="How much is logged: debug, info, warning or error.",
    ),
    Key(
        name="requests_max",
        read=read_count(1, 100_000),
        default=256,
        summary="How many HTTP requests are worked on at once; more are told to come back.",
    ),
    Key(
        name="request_bytes_max",
        read=read_count(1_024, 64 * 1_048_576),
        default=2 * 1_048_576,
        summary="How large the body of a request may be.",
    ),
    Key(
        name="memory_bytes",
        read=read_memory,
        default=0,
        summary="How many bytes of memory peers can make this node hold; 0: three eighths of what the machine has.",
    ),
    Key(
        name="sessions_max",
        read=read_count(1, SESSIONS_MAX),
        default=64,
        summary="How many communities may be connected at once; fewer where memory_bytes has no room for them.",
    ),
    Key(
        name="peer_bytes_second",
        read=read_count(GRANT_BYTES_SECOND_MIN, 2**40),
        default=GRANT_BYTES_SECOND,
        summary="How many bytes a second one peer may send unasked; what was asked for is not counted.",
    ),
    Key(
        name="peer_bytes_burst",
        read=read_count(FRAME_BYTES_MAX, 2**40),
        default=GRANT_BYTES_BURST,
        summary="How many bytes one peer may send unasked at once.",
    ),
    Key(
        name="peer_requests_second",
        read=read_count(REQUESTS_MAX, 2**20),
        default=GRANT_REQUESTS_SECOND,
        summary="How many requests a second one peer may make.",
    ),
    Key(
        name="quota_lane_bytes",
        read=read_count(0, INTEGER_MAX),
        default=2**30,
        summary="How many bytes of one lane of another community are kept.",
    ),
    Key(
        name="quota_community_bytes",
        read=read_count(0, INTEGER_MAX),
        default=2 * 2**30,
        summary="How many bytes of all lanes of one other community are kept; for one of them: wildgrass peer quota.",
    ),
    Key(
        name="quota_all_bytes",
        read=read_count(0, INTEGER_MAX),
        default=8 * 2**30,
        summary="How many bytes of all lanes of all other communities are kept.",
    ),
)
KEYS = {key.name: key for key in LISTED}
