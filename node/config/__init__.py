"""What a node is told about itself: typed settings, each with one name, one type and one value that holds.

Whoever is closest wins: a flag, then WILDGRASS_<NAME> (or WILDGRASS_<NAME>_FILE, whose content is the
value), then config.toml in the folder, then what the steward set in the pages, then the default. A name
that nobody knows is refused, and every value remembers where it came from.

    settings = read_sources(flags={}, environment=os.environ).settings()
    settings.listen_http.port, settings.origin_of("listen_http")
"""

from node.config.keys import KEYS, LISTED, Key, Listen
from node.config.settings import Settings, Sources, read_sources

__all__ = ["KEYS", "LISTED", "Key", "Listen", "Settings", "Sources", "read_sources"]
