"""Logs on standard error: one line an event, no secrets, no ids of persons, nothing of a healthy request."""

import logging
import os
import sys

_PLAIN = "%(levelname)s %(name)s: %(message)s"


def configure_logging(level: str) -> None:
    """Log at `level` (debug, info, warning, error); under systemd the journal adds the time itself."""
    with_time = _PLAIN if "JOURNAL_STREAM" in os.environ else "%(asctime)s " + _PLAIN
    logging.basicConfig(stream=sys.stderr, level=level.upper(), format=with_time, force=True)
    for chatty in ("asyncio", "zeroconf", "aiohttp"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, logging.getLogger().level))
