"""From sources to proven lanes: indexes, communities, heads, and every copy byte for byte (section 19.1 to 19.3).

reading = Reading(sources, book, progress)
chosen = reading.read()
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

from protocol.audit.bundle import INDEX_PATH, Source, checkpoint_path, parse_checkpoint_path, parse_index
from protocol.audit.choosing import choose, place_of
from protocol.audit.diagnosis import find_damages
from protocol.audit.feeding import EpochCopy
from protocol.audit.findings import Book
from protocol.audit.forks import SourceHead, compare_heads, proven_forks
from protocol.audit.history import History, read_history
from protocol.audit.lane_copy import LaneCopy, open_copy, read_copy
from protocol.errors import AuditError, IdentityError, LogError, ProtocolError
from protocol.lanes.kind import CHARTER
from protocol.limits import INDEX_BYTES_MAX, NOTE_BYTES_MAX, TILE_WIDTH
from protocol.log.checkpoint import Checkpoint, open_checkpoint
from protocol.log.cosignature import cosignature_times
from protocol.log.note import COSIGNATURE_V1, VerifierKey, parse_note
from protocol.log.origin import Origin, witness_name


class Reading:
    """Reads all sources once; `histories`, `copies` and `forks` tell afterwards what was found.

    `forks` has the text of one proof (section 23.4) for each lane that is proven to have forked, `heads` all signed
    heads of each lane.
    """

    def __init__(self, sources: Sequence[Source], book: Book, progress: Callable[[int, int], None]) -> None:
        """Take the sources, where findings go, and who hears how many records of how many are read."""
        self.histories: dict[bytes, History] = {}
        self.copies: list[LaneCopy] = []
        self.forks: dict[Origin, bytes] = {}
        self.heads: dict[Origin, list[SourceHead]] = {}
        self.has_lanes = False
        self._sources = sources
        self._book = book
        self._progress = progress
        self._done = 0
        self._total = 0
        self._deferred: list[LaneCopy] = []

    def read(self) -> dict[Origin, EpochCopy]:
        """Return of each lane and epoch the copy that counts, sorted by community, lane and epoch.

        Of a lane with a single copy the entries are read as the fold asks for them; call `finish` after it.
        """
        indexes = [(source, self._read_index(source)) for source in self._sources]
        origins = sorted({origin for _, index in indexes for origin in index})
        self.has_lanes = bool(origins)
        self._total = sum(size for _, index in indexes for size in index.values())
        for community in dict.fromkeys(origin.community for origin in origins):
            charter = Origin(community, CHARTER, 0)
            holders = [(source, index[charter]) for source, index in indexes if charter in index]
            history = read_history(community, holders, self._sources, self._book)
            if history is not None:
                self.histories[community] = history
                self.forks |= proven_forks(history, self._book)
        witnesses = list(_witness_keys(self.histories))
        chosen: dict[Origin, EpochCopy] = {}
        for origin in origins:
            holders = [(source, index[origin]) for source, index in indexes if origin in index]
            part = self._read_lane(origin, holders, witnesses)
            if part is not None:
                chosen[origin] = part
        judged = {origin for origin in origins if self._log_key(origin) is not None}
        self._book.count("forks", passed=len(judged - self.forks.keys()), failed=len(self.forks))
        return chosen

    def finish(self) -> None:
        """Compare what the fold has left unread of single copies, and name what is wrong in them."""
        for copy in self._deferred:
            try:
                while not copy.is_broken and copy.compared * TILE_WIDTH < copy.checkpoint.size:
                    copy.bundle(copy.compared)
            except AuditError:
                copy.is_broken = True
            if not copy.is_broken:
                self._book.count("copies", passed=1)
                self.copies.append(copy)
                continue
            read = self._read_copy(copy.source, copy.origin, copy.checkpoint)
            if read is not None and self._name_damages(read, None):
                self.copies.append(read)

    def _read_index(self, source: Source) -> Mapping[Origin, int]:
        """Return which lanes a source has, each with its stated size; 0 where the index does not state it."""
        stated: Mapping[Origin, int] = {}
        standing: dict[Origin, int] = {}
        try:
            standing = dict.fromkeys(_standing(source), 0)
            stated = parse_index(_required(source.read(INDEX_PATH, INDEX_BYTES_MAX)))
        except AuditError as error:
            self._book.count("sources", failed=1)
            self._book.find(error.code, error.detail, source=source.name, path=INDEX_PATH)
            return standing
        self._book.count("sources", passed=1)
        for origin in sorted(standing.keys() - stated.keys()):
            self._find_index(source, origin, "a lane that is here is not listed")
        return {**standing, **stated}

    def _read_lane(
        self, origin: Origin, holders: Sequence[tuple[Source, int]], witnesses: Sequence[VerifierKey]
    ) -> EpochCopy | None:
        log_key = self._log_key(origin)
        if log_key is None:
            self._book.count("checkpoints", not_opened=len(holders))
            if origin.community in self.histories:
                self._book.find("successor_missing", place=place_of(origin))
            return None
        history = self.histories[origin.community]
        heads: list[SourceHead] = []
        copies: list[LaneCopy] = []
        for source, size in holders:
            head = self._read_head(source, origin, log_key, witnesses)
            if head is None:
                continue
            heads.append(head)
            self.heads.setdefault(origin, []).append(head)
            checkpoint = head.checkpoint
            if size > checkpoint.size or (0 < size < checkpoint.size and not source.is_live):
                self._find_index(source, origin, f"{size} listed, {checkpoint.size} signed")
            is_alone = len(holders) == 1 and origin.epoch >= len(history.seals)
            copy = open_copy(source, origin, checkpoint) if is_alone else None
            if copy is not None:
                self._deferred.append(copy)
                self._count(copy.checkpoint.size)
                return choose(origin, [copy], history.seals, self._book)
            copy = self._read_copy(source, origin, checkpoint)
            if copy is not None:
                copies.append(copy)
        whole = max(
            (copy for copy in copies if copy.is_whole), key=lambda copy: copy.checkpoint.size, default=None
        )
        copies = [copy for copy in copies if self._name_damages(copy, whole)]
        self.copies += copies
        reference = max(
            (copy for copy in copies if copy.is_whole), key=lambda copy: copy.checkpoint.size, default=None
        )
        proof = compare_heads(origin, heads, reference, log_key, self._book)
        if proof is not None:
            self.forks.setdefault(origin, proof)
        return choose(origin, copies, history.seals, self._book)

    def _log_key(self, origin: Origin) -> bytes | None:
        """Return the log key of a lane's epoch, None where genesis or successor notes do not give it."""
        history = self.histories.get(origin.community)
        is_known = history is not None and origin.epoch < len(history.keys)
        return history.keys[origin.epoch].log_key if history is not None and is_known else None

    def _read_head(
        self, source: Source, origin: Origin, log_key: bytes, witnesses: Sequence[VerifierKey]
    ) -> SourceHead | None:
        """Return the signed head of a source's copy, or name why there is none."""
        path = checkpoint_path(origin)
        try:
            raw = _required(source.read(path, NOTE_BYTES_MAX))
            checkpoint = open_checkpoint(raw, origin.text, log_key)
        except ProtocolError as error:
            if error.code == "source_refused":
                self._book.count("checkpoints", not_opened=1)
                return None
            self._book.count("checkpoints", failed=1)
            self._book.find(error.code, error.detail, place=place_of(origin), source=source.name, path=path)
            return None
        self._book.count("checkpoints", passed=1)
        self._check_cosignatures(source, origin, raw, witnesses)
        return SourceHead(source, checkpoint, raw)

    def _check_cosignatures(
        self, source: Source, origin: Origin, raw: bytes, witnesses: Sequence[VerifierKey]
    ) -> None:
        """Witnesses are the communities of this audit; lines of others cannot be judged."""
        known = {(key.name, key.key_id): key for key in witnesses}
        note = parse_note(raw)
        for line in note.signatures:
            key = known.get((line.name, line.key_id))
            if key is None:
                self._book.count("cosignatures", not_opened=line.name != origin.text)
                continue
            try:
                cosignature_times(note, [key])
                self._book.count("cosignatures", passed=1)
            except LogError as error:
                self._book.count("cosignatures", failed=1)
                self._book.find(
                    error.code,
                    error.detail,
                    place=place_of(origin),
                    source=source.name,
                    path=checkpoint_path(origin),
                )

    def _read_copy(self, source: Source, origin: Origin, checkpoint: Checkpoint) -> LaneCopy | None:
        """Return a copy as it was read; None where the source breaks off."""
        try:
            return read_copy(source, origin, checkpoint, self._count)
        except AuditError as error:
            self._find_broken_off(source, origin, error)
            return None

    def _name_damages(self, copy: LaneCopy, whole: LaneCopy | None) -> bool:
        """Name everything that is wrong in a copy; return False where the source breaks off meanwhile."""
        origin, source = copy.origin, copy.source
        try:
            damages = find_damages(copy, whole)
        except AuditError as error:
            self._find_broken_off(source, origin, error)
            return False
        for damage in damages:
            place = place_of(origin, damage.index)
            self._book.find(damage.code, damage.detail, place=place, source=source.name, path=damage.path)
        self._book.count("copies", passed=not damages, failed=bool(damages))
        return True

    def _find_broken_off(self, source: Source, origin: Origin, error: AuditError) -> None:
        self._book.count("copies", failed=1)
        self._book.find(error.code, error.detail, place=place_of(origin), source=source.name)

    def _find_index(self, source: Source, origin: Origin, detail: str) -> None:
        place = place_of(origin)
        self._book.find("index_mismatch", detail, place=place, source=source.name, path=INDEX_PATH)

    def _count(self, records: int) -> None:
        self._done += records
        self._progress(self._done, max(self._done, self._total))


def _required(raw: bytes | None) -> bytes:
    if raw is None:
        raise AuditError("file_missing")
    return raw


def _standing(source: Source) -> Iterator[Origin]:
    """Yield the lanes that stand in a source whose files can be listed."""
    for path in source.checkpoint_paths() or ():
        try:
            yield parse_checkpoint_path(path)
        except (LogError, IdentityError):
            continue  # no lane's name: nothing that a bundle has


def _witness_keys(histories: Mapping[bytes, History]) -> Iterator[VerifierKey]:
    for community, history in histories.items():
        yield VerifierKey(witness_name(community), COSIGNATURE_V1, history.genesis.witness_key)
