"""Passwords: Argon2id as RFC 9106 recommends where memory is scarce, one derivation at a time.

Each takes 64 MiB and a good part of a second of a router, so a stranger who tries many must not get many at
once: they wait in a short queue on one thread, and past its length they are refused.

    kept = await passwords.make_hash("correct horse")
    await passwords.is_right("correct horse", kept)
"""

import asyncio
import secrets
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from node.errors import NodeError

PASSWORD_CHARACTERS_MIN = 8
PASSWORD_CHARACTERS_MAX = 200
WAITING_MAX = 16

MEMORY_KIB = 65_536  # these three: RFC 9106 section 4, second recommended option
PASSES = 3
LANES = 4
_SALT_BYTES = 16
_HASH_BYTES = 32

# Of 32 random bytes that were thrown away: verifying against it takes as long as against a real one.
NOBODYS_HASH = (
    "$argon2id$v=19$m=65536,t=3,p=4$C4Cye9lBNZavdM35PiCXQA$pw6yOxcWEsPsBGYVyV2wHH2CRDQisgCLVB9j/ubJGLk"
)

Answer = TypeVar("Answer")


class Passwords:
    """The one thread on which passwords are derived; `close` when the node ends."""

    def __init__(self) -> None:
        """Begin with nothing waiting; the thread starts with the first question."""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="passwords")
        self._waiting = 0

    async def make_hash(self, password: str) -> str:
        """Return what to keep of a password. Raises `NodeError`: `password_refused`, `inbox_full`."""
        if not has_length(password):
            raise NodeError("password_refused")
        return await self._run(lambda: password_hash(password))

    async def is_right(self, password: str, kept: str | None) -> bool:
        """Tell whether a password is the one of which `kept` was kept; None, of nobody, takes as long.

        Raises `NodeError`: `inbox_full`.
        """
        return await self._run(lambda: is_password(password, kept))

    def close(self) -> None:
        """Finish the derivation that runs; those that wait are given up."""
        self._thread.shutdown(cancel_futures=True)

    async def _run(self, derive: Callable[[], Answer]) -> Answer:
        if self._waiting >= WAITING_MAX:
            raise NodeError("inbox_full")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, derive)
        finally:
            self._waiting -= 1


def has_length(password: str) -> bool:
    """Tell whether a password is neither too short nor too long, in characters."""
    return PASSWORD_CHARACTERS_MIN <= len(password) <= PASSWORD_CHARACTERS_MAX


def password_hash(password: str) -> str:
    """Return the PHC text of a password under a new salt; takes 64 MiB and its time."""
    derivation = Argon2id(
        salt=secrets.token_bytes(_SALT_BYTES),
        length=_HASH_BYTES,
        iterations=PASSES,
        lanes=LANES,
        memory_cost=MEMORY_KIB,
    )
    return derivation.derive_phc_encoded(_as_bytes(password))


def is_password(password: str, kept: str | None) -> bool:
    """Tell whether the PHC text `kept` is of this password; without one, derive in vain and say no.

    So neither the answer nor the time says whether somebody of that name exists, or has a password.
    """
    may_be = kept is not None and has_length(password)
    try:
        Argon2id.verify_phc_encoded(_as_bytes(password), kept if kept and may_be else NOBODYS_HASH)
    except InvalidKey:
        return False
    return may_be


def _as_bytes(password: str) -> bytes:
    """UTF-8 of the composed form: é is typed as one sign on one keyboard and as two on another (RFC 8265)."""
    composed = unicodedata.normalize("NFC", password[: PASSWORD_CHARACTERS_MAX + 1])
    return composed.encode("utf-8", "surrogatepass")
