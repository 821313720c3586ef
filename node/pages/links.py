"""Links for another device: the address under which others reach this node, and its QR code to point a phone at."""

import io
import ipaddress
from functools import lru_cache

import segno
from markupsafe import Markup

from node.operations.lifecycle import running_node
from node.pages.site import Asked
from node.pages.visit import is_secure

_CODES_KEPT_MAX = 256  # each 3 kB; drawing one takes longer than all the rest of an order's page


def link_base(asked: Asked) -> str:
    """Return the node's address for others: to whoever sits at the machine itself, the one it announces."""
    host = asked.http.url.host or ""
    running = running_node(asked.node.vault.folder) if _is_this_machine(host) else None
    return (
        running.url.rstrip("/")
        if running
        else f"{'https' if is_secure(asked.http) else 'http'}://{asked.http.host}"
    )


@lru_cache(_CODES_KEPT_MAX)
def draw_qr(text: str) -> Markup:
    """Return a QR code as an SVG without style attributes, dark on light in dark mode too."""
    out = io.BytesIO()
    segno.make(text, error="m", micro=False).save(
        out,
        kind="svg",
        border=4,
        omitsize=True,
        dark="#000",
        light="#fff",
        xmldecl=False,
        svgclass="qr",
        lineclass=None,
    )
    return Markup(out.getvalue().decode())  # noqa: S704  made here; the text is in its modules only


def _is_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
