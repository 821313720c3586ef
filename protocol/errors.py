"""Refusals: one root, one family a room, one stable code a reason (PROTOCOL.md section 20).

A `ProtocolError` says that bytes from outside are wrong. The code is what other programs and other
languages read; `detail` adds the particulars for a person. The sentence of a code is in `SENTENCES`,
in English; `node` translates it.

    raise EncodingError("encoding_not_canonical", "map keys are not sorted")
"""

from protocol.error_codes import SENTENCES


class ProtocolError(Exception):
    """Something from outside was refused. `code` is stable; `detail` is for a person."""

    def __init__(self, code: str, detail: str = "") -> None:
        """Take a code of PROTOCOL.md section 20; an unknown one is a bug of ours."""
        assert code in SENTENCES, f"error code {code!r} is not in protocol/error_codes.py"
        super().__init__(code, detail)
        self.code = code
        self.detail = detail

    def __str__(self) -> str:
        """The sentence for this code, followed by the particulars."""
        sentence = SENTENCES[self.code]
        return f"{sentence} ({self.detail})" if self.detail else sentence


class EncodingError(ProtocolError):
    """Bytes are not in the canonical form (section 2)."""


class LogError(ProtocolError):
    """A note, checkpoint, proof, tile or bundle does not hold (sections 5 to 7)."""


class IdentityError(ProtocolError):
    """A genesis, key, signature or successor note does not hold (sections 4 and 9)."""


class AmountError(ProtocolError):
    """A sum of money, quantity or share is outside what section 12 allows."""


class SealingError(ProtocolError):
    """A sealed payload does not open to what its commitment promises (section 15)."""


class RecordVoid(ProtocolError):
    """A record has no effect; it stays in its lane as evidence (sections 8 to 16)."""


class SessionError(ProtocolError):
    """A peer broke the rules of the session (sections 17 and 18)."""


class AuditError(ProtocolError):
    """What an auditor was given cannot be read at all (section 19)."""
