"""The table of routes is whole: names, shapes, tokens, and the OpenAPI document made from them."""

import json

from node.actions.shapes import Request
from node.api.openapi import openapi_document
from node.api.route import PREFIX
from node.api.routes import ROUTES


def test_every_route_has_a_name_and_a_place_of_its_own():
    """Two routes of one name could not stand in one document."""
    assert len({route.name for route in ROUTES}) == len(ROUTES)
    assert len({(route.method, route.path) for route in ROUTES}) == len(ROUTES)


def test_every_request_refuses_unknown_fields_and_every_route_says_what_it_does():
    """A misspelt field is never ignored."""
    for route in ROUTES:
        assert issubclass(route.request, Request)
        assert route.summary.endswith(".")


def test_whatever_writes_wants_the_token():
    """Only reading, and computing without placing, is for anybody."""
    for route in ROUTES:
        if route.access == "public":
            assert route.method == "GET" or route.name in ("preview_split", "preview_order"), route.path


def test_the_document_stands_on_its_own():
    """Every route is in it under its own name, and no reference leads nowhere."""
    document = json.loads(json.dumps(openapi_document(ROUTES, [], version="1")))
    operations = {
        (method.upper(), path.removeprefix(PREFIX)): operation["operationId"]
        for path, item in document["paths"].items()
        for method, operation in item.items()
    }
    assert operations == {(route.method, route.path): route.name for route in ROUTES}
    text = json.dumps(document)
    for reference in text.split("#/components/schemas/")[1:]:
        assert reference.split('"')[0] in document["components"]["schemas"]
