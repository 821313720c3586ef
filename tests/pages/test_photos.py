"""Photos: what comes is bounded before it is decoded, and what is kept is the picture alone."""

import struct
import zlib
from io import BytesIO

import pytest
from PIL import Image

from node.actions.listings import ListingPlace, show_listing
from node.actions.photos import PHOTO_BYTES_MAX, PHOTO_SIDE_MAX, PhotoDraft, add_photo, make_photo
from node.errors import NodeError
from protocol.identity.keys import to_base32
from storage.blobs import put_blob
from tests.pages.desk_site import Community, Visitor, community, picture, publish

GPS = 0x8825
ORIENTATION = 0x0112
MAKE = 0x010F


@pytest.fixture
async def spring(tmp_path):
    async with community(tmp_path / "spring") as spring:
        yield spring


def refused(content: bytes) -> str:
    with pytest.raises(NodeError) as error:
        make_photo(content)
    return error.value.code


def png_of(width: int, height: int, body: bytes) -> bytes:
    """A PNG that says it has these dimensions, with any bytes for its pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def test_a_phones_photo_loses_where_and_by_whom_it_was_taken() -> None:
    """Place, camera, profile and comments are gone; the picture stands upright and is small."""
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    exif[MAKE] = "Spy Camera"
    exif.get_ifd(GPS)[1] = "N"
    exif.get_ifd(GPS)[2] = (48.0, 12.0, 30.0)
    content = picture(size=(2_400, 1_200), exif=exif, comment=b"secret", icc_profile=b"profile of Mei")
    assert b"Spy Camera" in content
    made, width, height = make_photo(content)
    with Image.open(BytesIO(made)) as image:
        assert image.format == "WEBP"
        assert (image.width, image.height) == (width, height) == (800, PHOTO_SIDE_MAX)
        assert dict(image.getexif()) == {}
        assert not {"exif", "icc_profile", "xmp", "comment"} & set(image.info)
    for trace in (b"Spy Camera", b"secret", b"Mei", b"EXIF", b"Exif", b"ICCP", b"XMP"):
        assert trace not in made


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_the_three_kinds_become_webp_and_none_grows(kind: str) -> None:
    """A small picture keeps its size."""
    made, width, height = make_photo(picture(kind, (64, 48)))
    assert made.startswith(b"RIFF")
    assert (width, height) == (64, 48)


@pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF", "PPM", "PDF"])
def test_other_kinds_are_refused_whatever_they_are_called(kind: str) -> None:
    """The content tells the kind, not the name."""
    assert refused(picture(kind)) == "photo_kind"


@pytest.mark.parametrize("content", [b"", b"MZ", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"<script>"])
def test_what_is_no_picture_is_refused(content: bytes) -> None:
    """Scripts, drawings and nothing at all are no photos."""
    assert refused(content) == "photo_kind"


def test_a_bomb_is_refused_before_it_unpacks() -> None:
    """A few bytes that say a thousand megapixels, and some that say 41, are never decoded."""
    assert refused(png_of(32_000, 32_000, zlib.compress(bytes(10_000)))) == "photo_too_large"
    assert refused(png_of(41_000, 1_000, zlib.compress(bytes(10_000)))) == "photo_too_large"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_photo_that_breaks_off_is_damaged(kind: str) -> None:
    """Cut anywhere, it is refused, and no fault of a decoder gets out."""
    content = picture(kind, (200, 200))
    for end in (4, 12, 20, len(content) // 2, len(content) - 30):
        assert refused(content[:end]) in ("photo_damaged", "photo_kind")
    assert refused(png_of(64, 64, b"no zlib")) == "photo_damaged"


async def test_more_bytes_than_may_be_are_refused_unread(spring: Community) -> None:
    """Twelve megabytes are the limit, whatever they hold."""
    with pytest.raises(NodeError) as error:
        await add_photo(spring.node, PhotoDraft(content=picture() + bytes(PHOTO_BYTES_MAX)))
    assert error.value.code == "photo_too_large"


async def test_a_listing_shows_its_photo_until_it_shall_not(spring: Community) -> None:
    """Published with the form, served as WebP for good, kept through an edit, gone when the box is ticked."""
    keeper = await spring.person("Mei")
    path = (await publish(keeper, file=picture())).path
    sector, listing_id = path.split("/")[-2:]
    place = ListingPlace(sector=sector, listing_id=listing_id)
    image = (await show_listing(spring.node, place)).images[0]
    assert image.media_type == "image/webp"
    shown = await Visitor(spring.client, None).get(f"/photos/{image.sha256}")
    assert (shown.status, shown.headers["Content-Type"]) == (200, "image/webp")
    assert "immutable" in shown.headers["Cache-Control"]
    assert shown.headers["X-Content-Type-Options"] == "nosniff"
    await keeper.send(await keeper.get(path), path, price="50")
    assert (await show_listing(spring.node, place)).images[0] == image
    await keeper.send(await keeper.get(path), path, without_photo="yes")
    assert (await show_listing(spring.node, place)).images == []


async def test_a_refused_photo_stands_at_its_field(spring: Community) -> None:
    """The sentence says what is wrong, in the page; nothing is published."""
    keeper = await spring.person("Mei")
    shown = await publish(keeper, file=picture("GIF"))
    assert (shown.status, 'id="fault-photo_file"' in shown.text) == (422, True)
    assert "JPEG, PNG or WebP picture" in shown.text
    assert shown.forms["/desk/listings/new"]["photo"] == [""]


async def test_a_photo_that_is_not_here_cannot_be_published(spring: Community) -> None:
    """A hash that the form was made to name is refused with a sentence."""
    keeper = await spring.person("Mei")
    shown = await publish(keeper)
    page = await keeper.get(shown.path)
    again = await keeper.send(page, shown.path, photo="a" * 52)
    assert again.status == 422
    assert "not here any more" in again.text


async def test_only_photos_are_served_as_photos(spring: Community) -> None:
    """What is not here, what is no image and what is no hash are not found; a stranger makes nobody fetch."""
    text = await spring.node.write(lambda transaction: put_blob(transaction.connection, "text/html", b"<b>"))
    visitor = Visitor(spring.client, None)
    assert (await visitor.get(f"/photos/{to_base32(text)}")).status == 404
    assert (await visitor.get("/photos/" + "a" * 52)).status == 404
    assert (await visitor.get("/photos/x")).status in (404, 422)
    place = f"community={to_base32(bytes(32))}&sector=pets&listing_id={'a' * 26}"
    assert (await visitor.get(f"/photos/{'a' * 52}?{place}")).status == 404
