"""What the rest of the node asks of a peer: hand over sealed parts, fetch them, fetch a file (section 17.6).

Each raises `SessionError` with the code of what happened: no session, no answer in time, a refusal.

    kept = await questions.give_sealed(community, objects)
    content = await questions.get_blob(community, digest, bytes_max=1_048_576)
"""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from hashlib import sha256

from node.federation.driver import Driver
from protocol.errors import SessionError
from protocol.exchange.frames import (
    NO_INSTANCE,
    Answer,
    Backup,
    BackupGet,
    BackupHeld,
    BackupState,
    Blob,
    BlobGet,
    Heads,
    HeadsSince,
    Receipt,
    RelayGet,
    RelayTaken,
    Request,
    Sealed,
    SealedAck,
    SealedGet,
    SealedObject,
    SealedPut,
    StatedHead,
)
from protocol.identity.keys import HASH_BYTES
from protocol.limits import BLOB_PART_BYTES_MAX, RELAY_PAGE_MAX, SEALED_BYTES_MAX, SEALED_OBJECTS_MAX


class Questions:
    """Asks open peers, one frame after the other."""

    def __init__(self, driver: Driver) -> None:
        """Take the driver that carries questions."""
        self._driver = driver

    async def ask(self, community: bytes, request: Request) -> Answer:
        """Ask one thing, and return the answer."""
        return await self._driver.ask(community, request)

    async def give_sealed(self, community: bytes, objects: Sequence[SealedObject]) -> tuple[bytes, ...]:
        """Hand over sealed objects; return the commitments that the peer holds now, synced."""
        kept: list[bytes] = []
        for group in _groups(objects):
            answer = await self._driver.ask(community, SealedPut(0, tuple(group)))
            assert isinstance(answer, SealedAck), "requests are answered by their own type"
            kept += answer.kept
        return tuple(kept)

    async def get_sealed(self, community: bytes, commitments: Sequence[bytes]) -> tuple[SealedObject, ...]:
        """Return those of the sealed objects that the peer holds and lets us have."""
        return await self._get_each(community, commitments, lambda asked: SealedGet(0, asked))

    async def _get_each(
        self, peer: bytes, commitments: Sequence[bytes], question: Callable[[tuple[bytes, ...]], Request]
    ) -> tuple[SealedObject, ...]:
        found: list[SealedObject] = []
        wanted = list(dict.fromkeys(commitments))
        while wanted:
            asked = wanted[:SEALED_OBJECTS_MAX]
            answer = await self._driver.ask(peer, question(tuple(asked)))
            assert isinstance(answer, Sealed), "requests are answered by their own type"
            came = {item.commitment: item for item in answer.objects if item.commitment in asked}
            found += came.values()
            # what did not fit beside the others is asked again; where nothing came, nothing is held
            wanted = [name for name in wanted if name not in came] if came else wanted[len(asked) :]
        return tuple(found)

    async def get_deliveries(
        self, relay: bytes, sender: bytes, commitments: Sequence[bytes]
    ) -> tuple[SealedObject, ...]:
        """Return those of one sender's deliveries that the relay hands over."""
        return await self._get_each(relay, commitments, lambda asked: RelayGet(0, sender, asked))

    async def tell_taken(self, peer: bytes, sender: bytes, receipts: Sequence[Receipt]) -> None:
        """Tell a relay, or the sender itself, what we have of the sender's."""
        for start in range(0, len(receipts), RELAY_PAGE_MAX):
            page = tuple(receipts[start : start + RELAY_PAGE_MAX])
            await self._driver.ask(peer, RelayTaken(0, sender, page))

    async def heads(self, community: bytes) -> tuple[StatedHead, ...]:
        """Return all heads that a peer shows us, asked from the first on."""
        heads: list[StatedHead] = []
        instance, through = NO_INSTANCE, 0
        while True:
            answer = await self._driver.ask(community, HeadsSince(0, instance, through))
            assert isinstance(answer, Heads), "requests are answered by their own type"
            heads += answer.heads
            if not answer.has_more or (answer.instance == instance and answer.through <= through):
                return tuple(heads)
            instance, through = answer.instance, answer.through

    async def backup_held(self, community: bytes) -> BackupHeld:
        """Return what a peer keeps for us."""
        answer = await self._driver.ask(community, BackupState(0))
        assert isinstance(answer, BackupHeld), "requests are answered by their own type"
        return answer

    async def get_backup(self, community: bytes) -> AsyncIterator[tuple[SealedObject, ...]]:
        """Yield the copies that a peer keeps for us, a frame at a time."""
        after, has_more = bytes(HASH_BYTES), True
        while has_more:
            answer = await self._driver.ask(community, BackupGet(0, after))
            assert isinstance(answer, Backup), "requests are answered by their own type"
            has_more = answer.has_more and bool(answer.objects) and answer.objects[-1].commitment > after
            if answer.objects:
                after = answer.objects[-1].commitment
                yield answer.objects

    async def get_blob(self, community: bytes, digest: bytes, *, bytes_max: int) -> bytes:
        """Return the file with this SHA-256, at most `bytes_max` bytes of it, or raise."""
        parts: list[bytes] = []
        offset = 0
        while True:
            answer = await self._driver.ask(community, BlobGet(0, digest, offset, BLOB_PART_BYTES_MAX))
            assert isinstance(answer, Blob), "requests are answered by their own type"
            if answer.size > bytes_max or (not answer.content and offset < answer.size):
                raise SessionError("answer_mismatch", f"a file of {answer.size} bytes")
            parts.append(answer.content)
            offset += len(answer.content)
            if offset >= answer.size:
                break
        content = b"".join(parts)
        if sha256(content).digest() != digest:
            raise SessionError("answer_mismatch", "the file is not the one asked for")
        return content


def _groups(objects: Sequence[SealedObject]) -> Iterator[list[SealedObject]]:
    """As many as fit into a frame together, in order."""
    group: list[SealedObject] = []
    room = SEALED_BYTES_MAX
    for item in objects:
        if group and (len(group) == SEALED_OBJECTS_MAX or len(item.ciphertext) > room):
            yield group
            group, room = [], SEALED_BYTES_MAX
        group.append(item)
        room -= len(item.ciphertext)
    if group:
        yield group
