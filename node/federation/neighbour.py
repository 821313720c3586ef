"""Who was found nearby; apart from `mdns`, so that nobody loads multicast who does not use it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A node that says it is here: its community id, where its federation and its pages answer."""

    community: bytes
    host: str
    port: int
    http_port: int
