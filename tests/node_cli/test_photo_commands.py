"""A shop owner with a terminal: a photo goes along with a listing, by the command line and over the API."""

import json
from collections.abc import Iterator
from http.client import HTTPConnection
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from node.actions.photos import PHOTO_BYTES_MAX
from node.api.openapi import openapi_document
from node.api.routes import ROUTES
from node.api_token import read_token
from node.client import connect
from node.errors import ApiRefusal
from node.operations.lifecycle import running_node

LISTING = (
    *("listing", "publish", "--sector", "food", "--title-en", "Apples", "--currency", "EUR", "--price", "2"),
    *("--tax-rate", "7"),
)


def picture(kind: str = "JPEG") -> bytes:
    out = BytesIO()
    Image.new("RGB", (320, 240), (47, 93, 53)).save(out, kind)
    return out.getvalue()


def shown(run, served: Path, listing_id: str) -> dict:
    return run("listing", "show", "--sector", "food", listing_id, "--folder", served, "--json").answer


def in_pieces(count: int) -> Iterator[bytes]:
    """A body of so many pieces whose length nobody says beforehand."""
    yield picture()
    for _ in range(count):
        yield bytes(65_536)


def test_a_listing_is_published_with_its_photo_by_one_command(run, served, tmp_path):
    """The picture is on the listing as a small WebP; publishing anew with another one replaces it."""
    shop = run("shop", "publish", "--sector", "food", "--name-en", "Corner", "--folder", served, "--json")
    photo = tmp_path / "apples.jpg"
    photo.write_bytes(picture())
    made = run(*LISTING, "--shop", shop.answer["shop_id"], "--photo", photo, "--folder", served, "--json")
    assert made.code == 0, made.err
    listing_id = made.answer["listing_id"]
    first = shown(run, served, listing_id)["images"]
    assert [image["media_type"] for image in first] == ["image/webp"]
    photo.write_bytes(picture("PNG"))
    Image.new("RGB", (64, 48)).save(photo, "PNG")
    fields = tmp_path / "apples.json"
    fields.write_text(
        json.dumps({"images": [first[0]["sha256"]], "fulfilment": ["pickup"], "unit_code": "C62"})
    )
    again = run(
        *(*LISTING, "--shop", shop.answer["shop_id"], "--listing", listing_id, "--file", fields),
        *("--photo", photo, "--folder", served),
    )
    assert again.code == 0, again.err
    second = shown(run, served, listing_id)["images"]
    assert len(second) == 1
    assert second != first


def test_a_file_that_is_no_photo_publishes_nothing(run, served, tmp_path):
    """The cause and what to do stand in the terminal, and there is no listing without its picture."""
    shop = run("shop", "publish", "--sector", "food", "--name-en", "Corner", "--folder", served, "--json")
    text = tmp_path / "notes.txt"
    text.write_text("no picture")
    refused = run(*LISTING, "--shop", shop.answer["shop_id"], "--photo", text, "--folder", served)
    assert refused.code != 0
    assert "JPEG, PNG or WebP" in refused.err
    missing = run(*LISTING, "--shop", shop.answer["shop_id"], "--photo", tmp_path / "x", "--folder", served)
    assert missing.code != 0
    listed = run("listing", "list", "--sector", "food", "--folder", served, "--json").answer
    assert listed["listings"] == []


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "photo_kind"),
        (picture("GIF"), "photo_kind"),
        (picture()[:200], "photo_damaged"),
        (picture() + bytes(PHOTO_BYTES_MAX), "photo_too_large"),
    ],
)
def test_refusals_over_the_api_have_the_codes_of_the_desk(served, content, code):
    """Kind, damage and size are judged by the same action."""
    with connect(served) as client, pytest.raises(ApiRefusal) as refused:
        client.upload("/photos", content)
    assert refused.value.said.code == code


def test_a_body_that_never_ends_is_given_up_at_the_limit(served):
    """Without a length the bytes are counted as they come; a query and a missing token are refused too."""
    host, port = running_node(served).http_place
    token = {"Authorization": f"Bearer {read_token(served)}"}
    pieces = PHOTO_BYTES_MAX // 65_536 + 1
    for path, headers, body, status in (
        ("/api/v1/photos", token, in_pieces(pieces), 413),
        ("/api/v1/photos?name=x", token, picture(), 422),
        ("/api/v1/photos", {}, picture(), 401),
        ("/api/v1/photos", {**token, "Content-Type": "application/json"}, picture("WEBP"), 201),
    ):
        connection = HTTPConnection(host, port, timeout=30)
        connection.request("POST", path, body, headers)
        response = connection.getresponse()
        assert response.status == status, response.read()
        connection.close()


def test_the_document_says_that_the_body_is_the_photo():
    """A program finds the three kinds in it, and what comes back."""
    document = openapi_document(ROUTES, [], version="1")
    operation = document["paths"]["/api/v1/photos"]["post"]
    assert list(operation["requestBody"]["content"]) == ["image/jpeg", "image/png", "image/webp"]
    assert operation["responses"]["201"]["content"]["application/json"]["schema"]["$ref"].endswith(
        "/AddedPhoto"
    )
    assert operation["parameters"] == []
