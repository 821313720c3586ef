"""The token by which the command line, and whoever owns the node's folder, may do everything over the API.

It lies in `api.token`, for this user alone. Removing the file revokes it; the next start makes a new one.
"""

import secrets
from pathlib import Path

from node.errors import NodeError
from node.files import check_private, write_private
from protocol.errors import IdentityError
from protocol.identity.keys import from_base32, to_base32

TOKEN_FILE = "api.token"  # noqa: S105  the name of the file
TOKEN_BYTES = 32


def read_token(folder: Path) -> str:
    """Return the API token of the folder, made anew where it was removed to revoke it."""
    path = folder / TOKEN_FILE
    if not path.exists():
        write_private(path, make_token().encode() + b"\n")
    check_private(path)
    try:
        token = path.read_text("ascii").strip()
        from_base32(token, TOKEN_BYTES)
    except (UnicodeDecodeError, IdentityError) as error:
        raise NodeError("vault_damaged", str(path)) from error
    return token


def make_token() -> str:
    """Return a new random token of 52 characters."""
    return to_base32(secrets.token_bytes(TOKEN_BYTES))
