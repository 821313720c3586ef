"""What a person sent in a form: bounded, named, and with a sentence beside each field that cannot be used.

form = await read_form(request)
title = form.text("title_en", characters_max=200)
price_minor = form.money("price", currency)
form.check()                          # FormRefused where a field was refused
"""

from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import BodyPartReader, hdrs, web
from aiohttp.http_exceptions import HttpProcessingError

from node.errors import NodeError
from node.locale import CHINESE, ENGLISH
from node.locale import marked as _
from protocol.amounts.money import parse_amount
from protocol.errors import AmountError

FORM_BYTES_MAX = 262_144
PHOTO_BYTES_MAX = 12 * 1_048_576
FIELDS_MAX = 64
FORM_KEY = "form_key"
LANGUAGE_FIELDS = {"zh": CHINESE, "en": ENGLISH}  # how the two fields of one text end
SENDING_SECONDS_MAX = 60

_PART_BYTES = 65_536
_BROKEN = (ValueError, HttpProcessingError, web.RequestPayloadError)  # what aiohttp says of a body in shreds


def language_fields(language: str) -> list[tuple[str, str]]:
    """Return how the fields of one text end, each with its language's tag: the reader's own first."""
    return sorted(LANGUAGE_FIELDS.items(), key=lambda field: field[1] != language)


def first_field(name: str, language: str) -> str:
    """Return the field of a text in two languages that the reader sees first: where it is said that both lack."""
    return f"{name}_{language_fields(language)[0][0]}"


class FormRefused(Exception):
    """Some fields cannot be used; `faults` has a message to translate for each, by name."""

    def __init__(self, faults: Mapping[str, str]) -> None:
        """Take what is wrong."""
        super().__init__(", ".join(faults))
        self.faults = dict(faults)


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that came with a form."""

    name: str
    content: bytes


class Form:
    """The fields of one form, and what is wrong with them so far."""

    def __init__(self, fields: Mapping[str, list[str]], uploads: Mapping[str, Upload]) -> None:
        """Take what was sent."""
        self._fields = dict(fields)
        self._uploads = dict(uploads)
        self._faults: dict[str, str] = {}

    def __getitem__(self, name: str) -> str:
        """Return what was typed, trimmed; nothing where the field is absent. For templates that show it again."""
        return next(iter(self._fields.get(name, [])), "").strip()

    def verbatim(self, name: str) -> str:
        """Return what was typed to the last space: a password."""
        return next(iter(self._fields.get(name, [])), "")

    def all(self, name: str) -> list[str]:
        """Return all values of a field that may be chosen several times."""
        return list(self._fields.get(name, []))

    def put(self, name: str, value: str) -> None:
        """Fill a field in for the visitor: what was found out on the way is kept when the form is shown again."""
        self._fields[name] = [value]

    def upload(self, name: str) -> Upload | None:
        """Return a file, or None where none was chosen."""
        return self._uploads.get(name)

    def text(self, name: str, *, characters_max: int, is_required: bool = False) -> str:
        """Return one text; line ends are those of Unix, and what no page can show is refused."""
        text = self[name].replace("\r\n", "\n").replace("\r", "\n")
        if is_required and not text:
            self.refuse(name, _("Fill this in."))
        elif len(text) > characters_max:
            self.refuse(name, _("This is too long."))
        elif any(not sign.isprintable() and sign not in "\n\t\u200d\ufe0f" for sign in text):
            self.refuse(name, _("There is a sign in it that cannot be shown."))
        return text

    def words(self, name: str, *, characters_max: int, is_one_line: bool = True) -> dict[str, str]:
        """Return what was filled in of the fields `<name>_zh` and `<name>_en`, by the tag of its language."""
        words = {}
        for ending, tag in LANGUAGE_FIELDS.items():
            text = self.text(f"{name}_{ending}", characters_max=characters_max)[:characters_max]
            if text:
                words[tag] = " ".join(text.split()) if is_one_line else text
        return words

    def choice(self, name: str, known: Mapping[str, object] | tuple[str, ...] | list[str]) -> str:
        """Return one of the known values."""
        if self[name] not in known:
            self.refuse(name, _("Choose one of the list."))
        return self[name]

    def money(self, name: str, currency: str) -> int:
        """Return an amount in minor units; a decimal comma is as good as a point."""
        try:
            return parse_amount(self[name].replace(",", ".").replace(" ", ""), currency)
        except AmountError:
            self.refuse(name, _("Write an amount such as 12.30."))
            return 0

    def number(self, name: str, *, low: int, high: int, default: int | None = None) -> int:
        """Return a whole number within bounds."""
        text = self[name]
        if not text and default is not None:
            return default
        if not (
            text.isascii() and text.isdigit() and len(text) <= len(str(high)) and low <= int(text) <= high
        ):
            self.refuse(name, _("Write a whole number within the bounds."))
            return low
        return int(text)

    def refuse(self, name: str, message: str) -> None:
        """Note what is wrong with a field; the first fault of each stands."""
        self._faults.setdefault(name, message)

    def check(self) -> None:
        """Raise `FormRefused` where anything was refused."""
        if self._faults:
            raise FormRefused(self._faults)


async def read_form(request: web.Request) -> Form:
    """Read a posted form, or refuse it: `request_malformed`, `request_too_large`."""
    kind = request.content_type
    if kind == "application/x-www-form-urlencoded":
        fields = await _read_fields(request)
        uploads: dict[str, Upload] = {}
    elif kind == "multipart/form-data":
        fields, uploads = await _read_parts(request)
    else:
        raise NodeError("request_malformed", request.headers.get(hdrs.CONTENT_TYPE, "")[:60])
    if len(fields) > FIELDS_MAX:
        raise NodeError("request_malformed", f"{len(fields)} fields")
    return Form(fields, uploads)


async def _read_fields(request: web.Request) -> dict[str, list[str]]:
    if (request.content_length or 0) > FORM_BYTES_MAX:
        raise NodeError("request_too_large")
    if (request.charset or "utf-8").lower() != "utf-8":
        raise NodeError("request_malformed", "the form is not in UTF-8")
    try:
        posted = await request.post()
    except _BROKEN as error:
        raise NodeError("request_malformed", "the form") from error
    except web.HTTPRequestEntityTooLarge as error:
        raise NodeError("request_too_large") from error
    return {name: [str(value) for value in posted.getall(name)] for name in posted}


async def _read_parts(request: web.Request) -> tuple[dict[str, list[str]], dict[str, Upload]]:
    fields: dict[str, list[str]] = {}
    uploads: dict[str, Upload] = {}
    room = PHOTO_BYTES_MAX + FORM_BYTES_MAX
    try:
        reader = await request.multipart()
        while (part := await reader.next()) is not None:
            if (
                not isinstance(part, BodyPartReader)
                or not part.name
                or len(fields) + len(uploads) > FIELDS_MAX
            ):
                raise NodeError("request_malformed", "a part of the form")
            content = await _read_part(part, room)
            room -= len(content)
            if part.filename is None:
                fields.setdefault(part.name, []).append(content.decode())
            elif content:
                uploads[part.name] = Upload(part.filename[:200], content)
    except _BROKEN as error:
        raise NodeError("request_malformed", "the form") from error
    return fields, uploads


async def _read_part(part: BodyPartReader, room: int) -> bytes:
    content = bytearray()
    while chunk := await part.read_chunk(_PART_BYTES):
        content += chunk
        if len(content) > room:
            raise NodeError("request_too_large")
    return bytes(content)
