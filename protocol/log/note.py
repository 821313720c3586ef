r"""Signed notes: a text and the lines that sign it, as C2SP signed-note has them (PROTOCOL.md section 5).

A note is parsed before it is verified; nobody acts on the text of a note that no known key has signed.

    note = sign_note(Note("hello\n"), name="coop.example", key=SigningKey(seed))
    verify_note(parse_note(format_note(note)), [VerifierKey("coop.example", ED25519, public)])
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Self

from protocol.errors import LogError
from protocol.identity.keys import KEY_BYTES, SigningKey, check_signing_key, is_signature_valid
from protocol.limits import COSIGNATURE_TIME_SECONDS_MAX, NOTE_BYTES_MAX, NOTE_SIGNATURES_MAX
from protocol.log.lines import check_characters, check_key_name, from_base64, to_base64

ED25519 = 0x01
COSIGNATURE_V1 = 0x04
TIME_BYTES = 8
KEY_ID_BYTES = 4

_LINE_START = "\N{EM DASH} "


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line: who says to have signed, the 4-byte key id, and the bytes that prove it."""

    name: str
    key_id: bytes
    signature: bytes

    def __post_init__(self) -> None:
        """Refuse a malformed name and a signature of no bytes."""
        check_key_name(self.name)
        if len(self.key_id) != KEY_ID_BYTES or not self.signature:
            raise LogError("note_signature_malformed", self.name)

    @property
    def line(self) -> str:
        """The line as it stands in a note, with its newline."""
        return f"{_LINE_START}{self.name} {to_base64(self.key_id + self.signature)}\n"


@dataclass(frozen=True, slots=True)
class Note:
    """A text that ends in a newline, and its signatures in the order of their lines."""

    text: str
    signatures: tuple[NoteSignature, ...] = ()

    def __post_init__(self) -> None:
        """Refuse control characters, a text without its last newline, and too many signatures."""
        if not self.text.endswith("\n"):
            raise LogError("note_malformed", "the text does not end in a newline")
        check_characters(self.text)
        if len(self.signatures) > NOTE_SIGNATURES_MAX:
            raise LogError("note_signatures_too_many", f"more than {NOTE_SIGNATURES_MAX}")

    def with_signatures(self, *signatures: NoteSignature) -> "Note":
        """Return the note with further signature lines, as a witness's answer brings them."""
        return replace(self, signatures=self.signatures + signatures)


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A key that is known: its name, its signature type (`ED25519` or `COSIGNATURE_V1`), 32 public bytes."""

    name: str
    type: int
    public: bytes

    def __post_init__(self) -> None:
        """Refuse a malformed name, an unknown type and a key that is not 32 bytes."""
        check_key_name(self.name)
        if self.type not in (ED25519, COSIGNATURE_V1) or len(self.public) != KEY_BYTES:
            raise LogError("verifier_key_malformed", self.name)

    @classmethod
    def from_vkey(cls, vkey: str) -> Self:
        """Return the key that `name+hex8(key id)+base64(type || public key)` states, or raise.

        `LogError` where the text is wrong, `IdentityError` where the public key is unusable.
        """
        name, _, rest = vkey.partition("+")
        encoded = from_base64(rest.partition("+")[2])
        if not encoded:
            raise LogError("verifier_key_malformed", repr(vkey[:64]))
        key = cls(name, encoded[0], encoded[1:])
        if key.vkey != vkey:
            raise LogError("verifier_key_malformed", "the key id is not that of this key")
        check_signing_key(key.public)
        return key

    @property
    def key_id(self) -> bytes:
        """The 4 bytes by which signature lines name this key, together with its name."""
        return key_id(self.name, self.type, self.public)

    @property
    def vkey(self) -> str:
        """The text form, as configuration files of other tools have it."""
        return f"{self.name}+{self.key_id.hex()}+{to_base64(bytes([self.type]) + self.public)}"


def key_id(name: str, signature_type: int, public: bytes) -> bytes:
    """Return SHA-256(name || 0x0A || type || public key), the first 4 bytes."""
    return sha256(name.encode() + b"\n" + bytes([signature_type]) + public).digest()[:KEY_ID_BYTES]


def format_note(note: Note) -> bytes:
    """Return the bytes of a note: its text, an empty line, its signature lines; at least one."""
    if not note.signatures:
        raise LogError("note_malformed", "no signature line")
    raw = (note.text + "\n" + "".join(signature.line for signature in note.signatures)).encode()
    if len(raw) > NOTE_BYTES_MAX:
        raise LogError("note_too_large", f"{len(raw)} bytes, at most {NOTE_BYTES_MAX}")
    return raw


def parse_note(raw: bytes) -> Note:
    """Return the note that the bytes are, not yet verified, or raise `LogError`."""
    if len(raw) > NOTE_BYTES_MAX:
        raise LogError("note_too_large", f"{len(raw)} bytes, at most {NOTE_BYTES_MAX}")
    try:
        whole = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise LogError("note_malformed", "not UTF-8") from error
    text, empty_line, lines = whole.rpartition("\n\n")
    if not empty_line:
        raise LogError("note_malformed", "no empty line before the signatures")
    return Note(text + "\n", parse_signature_lines(lines))


def parse_signature_lines(lines: str) -> tuple[NoteSignature, ...]:
    """Return the signatures of one or more signature lines, or raise `LogError`.

    They are the end of a note, and the whole answer of a witness.
    """
    check_characters(lines)
    if not lines.endswith("\n"):
        raise LogError("note_malformed", "the last signature line does not end in a newline")
    if lines.count("\n") > NOTE_SIGNATURES_MAX:
        raise LogError("note_signatures_too_many", f"more than {NOTE_SIGNATURES_MAX}")
    return tuple(_parse_signature_line(line) for line in lines[:-1].split("\n"))


def sign_note(note: Note, *, name: str, key: SigningKey) -> Note:
    """Return the note with a further Ed25519 signature of its text (type 0x01)."""
    named = key_id(name, ED25519, key.public)
    return note.with_signatures(NoteSignature(name, named, key.sign(note.text.encode())))


def verify_note(note: Note, keys: Iterable[VerifierKey]) -> tuple[VerifierKey, ...]:
    """Return the known keys that signed the note, each once, in the order of the lines; or raise `LogError`.

    Lines of unknown (name, key id) pairs are ignored. One known pair that fails refuses the whole note, and
    so does a note that none of the keys signed.
    """
    known = {(key.name, key.key_id): key for key in _distinct(keys)}
    verified: dict[VerifierKey, None] = {}
    for signature in note.signatures:
        key = known.get((signature.name, signature.key_id))
        if key is None:
            continue
        if not _is_signed(note.text, key, signature.signature):
            raise LogError("note_signature_invalid", key.name)
        verified[key] = None
    if not verified:
        raise LogError("note_not_signed", f"{len(note.signatures)} signature lines, none of a known key")
    return tuple(verified)


def cosigned_message(text: str, time_seconds: int) -> bytes:
    """Return the bytes that a cosignature v1 of a checkpoint's text signs."""
    return f"cosignature/v1\ntime {time_seconds}\n{text}".encode()


def cosignature_time(signature: bytes) -> int:
    """Return the time, in seconds since 1970, that the bytes of a cosignature v1 begin with."""
    return int.from_bytes(signature[:TIME_BYTES], "big")


def _distinct(keys: Iterable[VerifierKey]) -> set[VerifierKey]:
    """The keys, refused where two of them share a name and a key id: no line could tell which is meant."""
    distinct = set(keys)
    if len({(key.name, key.key_id) for key in distinct}) != len(distinct):
        raise LogError("verifier_keys_ambiguous")
    return distinct


def _is_signed(text: str, key: VerifierKey, signature: bytes) -> bool:
    if key.type == ED25519:
        return is_signature_valid(key.public, text.encode(), signature)
    time_seconds = cosignature_time(signature)
    return time_seconds <= COSIGNATURE_TIME_SECONDS_MAX and is_signature_valid(
        key.public, cosigned_message(text, time_seconds), signature[TIME_BYTES:]
    )


def _parse_signature_line(line: str) -> NoteSignature:
    name, space, encoded = line.removeprefix(_LINE_START).partition(" ")
    if not line.startswith(_LINE_START) or not space:
        raise LogError("note_signature_malformed", repr(line[:64]))
    raw = from_base64(encoded)
    return NoteSignature(name, raw[:KEY_ID_BYTES], raw[KEY_ID_BYTES:])
