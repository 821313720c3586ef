"""Photos: what a shop's phone took becomes a small WebP without anything that tells where or by whom.

A photo is taken apart only after its size was bounded, one at a time: forty megapixels fill a small machine.
A photo that a listing names and that is not here is fetched when somebody looks at it: from the listing's community,
or from another followed one that has it. So the own ones come back too, after a recovery, as far as others looked.

    added = await add_photo(node, PhotoDraft(content=content))
    await publish_listing(node, ListingDraft(..., images=[added.sha256]))
"""

import asyncio
from io import BytesIO
from threading import Lock
from typing import TYPE_CHECKING

from node.actions.listings import ListingPlace
from node.actions.shapes import Answer, HashText, Request, hash_of, id_of, market_of
from node.core import Node
from node.errors import NodeError
from protocol.errors import SessionError
from protocol.identity.keys import to_base32
from storage.blobs import Blob, blob, put_blob
from storage.peers import all_peers
from storage.views.reading import StateReader

if TYPE_CHECKING:
    from PIL.Image import Image

PHOTO_BYTES_MAX = 12 * 1_048_576
PHOTO_PIXELS_MAX = 40_000_000
PHOTO_SIDE_MAX = 1_600
PHOTO_SOURCES_MAX = 4
FETCHED_BYTES_MAX = 2 * 1_048_576
QUALITY = 80
MEDIA_TYPES = ("image/jpeg", "image/png", "image/webp")

_FORMATS = ("JPEG", "PNG", "WEBP")
_BEGINNINGS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF")
_one_at_a_time = Lock()


class PhotoDraft(Request, frozen=True, kw_only=True):
    """A photo as a camera made it: JPEG, PNG or WebP."""

    content: bytes


class AddedPhoto(Answer, frozen=True, kw_only=True):
    """The photo's name, which a listing's `images` takes, and its size in pixels."""

    sha256: str
    width: int
    height: int


class PhotoName(Request, frozen=True, kw_only=True):
    """A photo by the hash of its bytes; with a listing, it may be fetched from that listing's community."""

    sha256: HashText
    listing: ListingPlace | None = None


async def add_photo(node: Node, request: PhotoDraft) -> AddedPhoto:
    """Keep a photo, made smaller and freed of everything but the picture.

    Refuses with `photo_kind`, `photo_too_large` or `photo_damaged`.
    """
    if len(request.content) > PHOTO_BYTES_MAX:
        raise NodeError("photo_too_large", f"{len(request.content)} bytes, at most {PHOTO_BYTES_MAX}")
    made, width, height = await asyncio.to_thread(make_photo, request.content)
    digest = await node.write(lambda transaction: put_blob(transaction.connection, "image/webp", made))
    return AddedPhoto(sha256=to_base32(digest), width=width, height=height)


async def show_photo(node: Node, request: PhotoName) -> Blob:
    """Return a photo that is here, or that a listing names and a followed community has; else `not_found`."""
    digest = hash_of(request.sha256)
    found = await node.read(lambda read: blob(read.connection, digest))
    if found is None and request.listing is not None:
        found = await _fetch(node, digest, request.listing)
    if found is None or found.media_type not in MEDIA_TYPES:
        raise NodeError("not_found", "no such photo here")
    return found


def make_photo(content: bytes) -> tuple[bytes, int, int]:
    """Return the picture as WebP with its width and height, turned upright; for a thread, it takes a while."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    Image.MAX_IMAGE_PIXELS = PHOTO_PIXELS_MAX
    try:
        with _one_at_a_time, Image.open(BytesIO(content), formats=_FORMATS) as image:
            if image.width * image.height > PHOTO_PIXELS_MAX:
                raise NodeError("photo_too_large", f"{image.width} x {image.height} pixels")
            image.draft("RGB", (PHOTO_SIDE_MAX, PHOTO_SIDE_MAX))  # a JPEG is decoded small at once
            upright = ImageOps.exif_transpose(image)
            upright = upright.convert("RGBA" if upright.has_transparency_data else "RGB")
            upright.thumbnail((PHOTO_SIDE_MAX, PHOTO_SIDE_MAX))
            return _as_webp(upright), upright.width, upright.height
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise NodeError("photo_too_large", f"more than {PHOTO_PIXELS_MAX} pixels") from error
    except UnidentifiedImageError as error:
        code = "photo_damaged" if content.startswith(_BEGINNINGS) else "photo_kind"
        raise NodeError(code) from error
    except (OSError, ValueError, SyntaxError, EOFError, IndexError, TypeError) as error:  # Pillow's decoders
        raise NodeError("photo_damaged") from error


def _as_webp(image: "Image") -> bytes:
    """Encode the pixels alone: neither place nor time, camera or owner goes along."""
    out = BytesIO()
    image.save(out, "WEBP", quality=QUALITY, method=4, exif=b"", xmp=b"", icc_profile=b"")
    return out.getvalue()


async def _fetch(node: Node, digest: bytes, place: ListingPlace) -> Blob | None:
    """Fetch a photo that the listing names; a stranger can make us fetch no other.

    It is its own proof, so whoever has it may hand it over: the listing's community may not be within reach.
    """
    community = hash_of(place.community) if place.community else node.community
    key = (community, market_of(place.sector), id_of(place.listing_id))

    connected = node.federation.connected() if node.federation else frozenset()

    def named(read: StateReader) -> tuple[str | None, list[bytes]]:
        listing = read.get("listing", key)
        images = (listing.published.images or ()) if listing else ()
        media_type = next((image.media_type for image in images if image.sha256 == digest), None)
        return media_type, _sources(read, community, connected)

    media_type, sources = await node.read(named)
    if media_type is None:
        return None
    for source in sources:
        try:
            content = await node.federation_service.questions.get_blob(
                source, digest, bytes_max=FETCHED_BYTES_MAX
            )
        except SessionError:  # away, or without it: another may have it
            continue
        return await _keep(node, Blob(media_type, content))
    return None


async def _keep(node: Node, found: Blob) -> Blob | None:
    """Keep what a listing names, if it is a picture."""
    if not found.content.startswith(_BEGINNINGS):
        return None
    await node.write(lambda transaction: put_blob(transaction.connection, *found))
    return found


def _sources(read: StateReader, owner: bytes, connected: frozenset[bytes]) -> list[bytes]:
    """Whom to ask, the owner first: some followed communities that are there; the others learn nothing of it."""
    followed = [peer.community for peer in all_peers(read.connection) if peer.trust == "followed"]
    others = [community for community in followed if community != owner]
    return [source for source in (owner, *others) if source in connected][:PHOTO_SOURCES_MAX]
