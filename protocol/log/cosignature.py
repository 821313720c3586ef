"""Cosignatures: a witness states when it saw a checkpoint, and that the lane grew (PROTOCOL.md section 5).

The signed message does not name the witness, so a witness key cosigns and nothing else.

    signature = make_cosignature(note.text, name=witness_name, key=witness_key, time_seconds=now)
    witnessed_time(note.with_signatures(signature), [witness], threshold=1) == now
"""

from collections.abc import Iterable

from protocol.errors import LogError
from protocol.identity.keys import SigningKey
from protocol.limits import COSIGNATURE_TIME_SECONDS_MAX
from protocol.log.note import (
    COSIGNATURE_V1,
    TIME_BYTES,
    Note,
    NoteSignature,
    VerifierKey,
    cosignature_time,
    cosigned_message,
    key_id,
    verify_note,
)


def make_cosignature(text: str, *, name: str, key: SigningKey, time_seconds: int) -> NoteSignature:
    """Return the witness's signature line for a checkpoint's text at a time in seconds since 1970.

    The witness has checked before that this lane only grew since what it cosigned last, and has stored so.
    """
    assert 0 <= time_seconds <= COSIGNATURE_TIME_SECONDS_MAX, "a witness's clock shows seconds since 1970"
    signature = key.sign(cosigned_message(text, time_seconds))
    named = key_id(name, COSIGNATURE_V1, key.public)
    return NoteSignature(name, named, time_seconds.to_bytes(TIME_BYTES, "big") + signature)


def cosignature_times(note: Note, witnesses: Iterable[VerifierKey]) -> dict[VerifierKey, int]:
    """Return for each witness that cosigned the note its newest time, in seconds; or raise `LogError`.

    A note that none of them cosigned is refused, as is one with a line of theirs that does not hold.
    """
    keys = [witness for witness in witnesses if witness.type == COSIGNATURE_V1]
    times: dict[VerifierKey, int] = {}
    for key in verify_note(note, keys):
        times[key] = max(
            cosignature_time(line.signature)
            for line in note.signatures
            if (line.name, line.key_id) == (key.name, key.key_id)
        )
    return times


def witnessed_time(note: Note, witnesses: Iterable[VerifierKey], *, threshold: int) -> int:
    """Return the time that at least `threshold` witnesses agree was reached: the lowest of their newest.

    Fewer cosignatures raise `LogError`. One witness with a fast clock cannot move the result by itself
    once the threshold is two.
    """
    times = sorted(cosignature_times(note, witnesses).values(), reverse=True)
    if not 0 < threshold <= len(times):
        raise LogError("cosignatures_too_few", f"{len(times)} of the {threshold} that are needed")
    return times[threshold - 1]
