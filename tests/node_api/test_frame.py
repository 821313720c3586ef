"""A request comes in as JSON, reaches its action typed, and every refusal has a code and a next step."""

import asyncio
import json
import logging
from typing import Annotated

import msgspec
import pytest
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from node.api.frame import Gate, build_app, is_private_address
from node.api.health import health_routes
from node.api.openapi import openapi_document
from node.api.route import Route
from node.errors import NodeError
from node.operations.metrics import Metrics
from protocol.errors import RecordVoid
from storage.errors import StorageError

TOKEN = "a" * 52
ADMIN = {"Authorization": f"Bearer {TOKEN}"}


class AppleDraft(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An apple to be."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=40)]
    weight_grams: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 100
    tags: list[str] = []


class AppleQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which apples."""

    name: str
    heavy: bool = False
    limit: int | None = None
    tags: list[str] = []


class Apple(msgspec.Struct, frozen=True, kw_only=True):
    """An apple."""

    name: str
    weight_grams: int = 0
    heavy: bool = False
    limit: int | None = None
    tags: list[str] = []


class Apples(msgspec.Struct, frozen=True, kw_only=True):
    """Some apples."""

    apples: list[Apple]


class Orchard:
    """Stands where a node would."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.entered: asyncio.Queue[str] = asyncio.Queue()


async def plant_apple(orchard: Orchard, draft: AppleDraft) -> Apple:
    return Apple(name=draft.name, weight_grams=draft.weight_grams, tags=draft.tags)


async def change_apple(orchard: Orchard, draft: AppleDraft) -> Apple:
    return await plant_apple(orchard, draft)


async def show_apple(orchard: Orchard, query: AppleQuery) -> Apple:
    return Apple(name=query.name, heavy=query.heavy, limit=query.limit, tags=query.tags)


async def show_orchard(orchard: Orchard, query: AppleQuery) -> Apples:
    return Apples(apples=[Apple(name=query.name, weight_grams=80)])


async def wait_apple(orchard: Orchard, query: AppleQuery) -> Apple:
    orchard.entered.put_nowait(query.name)
    await orchard.gate.wait()
    return Apple(name=query.name)


REFUSALS = {
    "void": RecordVoid("body_refused", "title"),
    "storage": StorageError("storage_full"),
    "node": NodeError("inbox_full"),
    "system": OSError(28, "No space left on device", "/data"),
    "bug": ZeroDivisionError("secret"),
}


async def break_apple(orchard: Orchard, query: AppleQuery) -> Apple:
    raise REFUSALS[query.name]


ROUTES = (
    Route("POST", "/apples", plant_apple, AppleDraft, Apple, "admin", "Plant one.", status=201),
    Route("PUT", "/apples/{name}", change_apple, AppleDraft, Apple, "public", "Change one."),
    Route("GET", "/apples/{name}", show_apple, AppleQuery, Apple, "public", "Show one."),
    Route(
        "GET",
        "/orchards/{name}",
        show_orchard,
        AppleQuery,
        Apples,
        "public",
        "Show all.",
        hidden=frozenset({"weight_grams"}),
    ),
    Route("GET", "/waits/{name}", wait_apple, AppleQuery, Apple, "public", "Wait."),
    Route("GET", "/breaks/{name}", break_apple, AppleQuery, Apple, "public", "Break."),
)


async def nobody(token: str, community: bytes, lane: str) -> bool:
    return False


def make_gate(**changed) -> Gate:
    return Gate(**{"api_token": TOKEN, "may_read": nobody, "is_open": lambda: False, **changed})


@pytest.fixture
async def orchard():
    return Orchard()


@pytest.fixture
async def client(aiohttp_client, orchard):
    app = build_app(ROUTES, orchard, gate=make_gate(requests_max=2), request_bytes_max=4096)
    return await aiohttp_client(app)


async def error_of(response) -> dict[str, str]:
    body = await response.json()
    assert list(body) == ["error"]
    assert set(body["error"]) == {"code", "sentence", "detail", "next_step"}
    assert body["error"]["sentence"]
    assert response.headers["X-Request-Id"]
    return body["error"]


async def test_a_request_reaches_its_action_typed_and_its_answer_comes_back(client):
    """Path, query and body are one request struct."""
    planted = await client.post("/api/v1/apples", json={"name": "Boskoop", "tags": ["old"]}, headers=ADMIN)
    assert planted.status == 201
    assert await planted.json() == {
        "name": "Boskoop",
        "weight_grams": 100,
        "heavy": False,
        "limit": None,
        "tags": ["old"],
    }
    changed = await client.put("/api/v1/apples/Elstar", json={"weight_grams": 7})
    assert (await changed.json())["name"] == "Elstar"
    shown = await client.get("/api/v1/apples/苹果?heavy=true&limit=5&tags=a&tags=b")
    assert await shown.json() == {
        "name": "苹果",
        "weight_grams": 0,
        "heavy": True,
        "limit": 5,
        "tags": ["a", "b"],
    }
    assert shown.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 422, "request_field_refused"),
        (b"{}", 422, "request_field_refused"),
        (b"[]", 400, "request_malformed"),
        (b"null", 400, "request_malformed"),
        (b"{", 400, "request_malformed"),
        (b'{"name": "x", "weight_grams": "5"}', 422, "request_field_refused"),
        (b'{"name": "x", "weight_grams": 5.0}', 422, "request_field_refused"),
        (b'{"name": "x", "weight_grams": true}', 422, "request_field_refused"),
        (b'{"name": "x", "weight_grams": 0}', 422, "request_field_refused"),
        (b'{"name": "x", "weight_grams": 1e999}', 400, "request_malformed"),
        (b'{"name": "x", "colour": "red"}', 422, "request_field_refused"),
        (b'{"name": ""}', 422, "request_field_refused"),
        (b'{"name": "\xff"}', 400, "request_malformed"),
        (b'{"name": "\\ud800"}', 400, "request_malformed"),
        (b"[" * 4000, 400, "request_malformed"),
        (b'{"name": "' + b"x" * 5000 + b'"}', 413, "request_too_large"),
    ],
)
async def test_a_bad_body_is_refused_with_a_code_and_a_next_step(client, body, status, code):
    """Whatever a program sends: a stable code, a sentence, nothing done."""
    headers = {**ADMIN, "Content-Type": "application/json"}
    response = await client.post("/api/v1/apples", data=body, headers=headers)
    error = await error_of(response)
    assert (response.status, error["code"]) == (status, code)
    assert error["next_step"]


async def test_a_field_has_one_place(client):
    """A path field repeated elsewhere, a repeated query field, a query beside a body: refused."""
    for method, path, said in [
        ("PUT", "/api/v1/apples/a", {"json": {"name": "b"}}),
        ("GET", "/api/v1/apples/a?name=b", {}),
        ("GET", "/api/v1/apples/a?limit=1&limit=2", {}),
        ("GET", "/api/v1/apples/a?limit=many", {}),
        ("GET", "/api/v1/apples/a?colour=red", {}),
        ("PUT", "/api/v1/apples/a?weight_grams=5", {"json": {}}),
    ]:
        response = await client.request(method, path, **said)
        assert (await error_of(response))["code"] == "request_field_refused", path
        assert response.status == 422


async def test_a_form_is_no_api_request(client):
    """A page of another site can make a browser post a form, never JSON with a token."""
    response = await client.post("/api/v1/apples", data={"name": "x"}, headers=ADMIN)
    assert (await error_of(response))["code"] == "request_malformed"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": TOKEN}, 401),
        ({"Authorization": f"Basic {TOKEN}"}, 401),
        ({"Authorization": "Bearer "}, 401),
        ({"Authorization": "Bearer " + "b" * 52}, 403),
        ({"Authorization": "Bearer " + TOKEN[:-1]}, 403),
        ({"Authorization": "Bearer täst"}, 403),
        ({"Authorization": f"bearer  {TOKEN} "}, 201),
    ],
)
async def test_only_the_token_of_the_folder_opens_what_changes_something(client, headers, status):
    """The token stands in the Authorization header and nowhere else."""
    response = await client.post(
        "/api/v1/apples?token=" + TOKEN if status == 0 else "/api/v1/apples",
        json={"name": "x"},
        headers=headers,
    )
    assert response.status == status
    assert ("WWW-Authenticate" in response.headers) == (status == 401)


async def test_a_token_in_the_address_is_not_looked_at(client):
    """Addresses end in logs and histories."""
    response = await client.post(f"/api/v1/apples?token={TOKEN}", json={"name": "x"})
    assert response.status == 401


async def test_what_is_the_shop_s_own_affair_is_shown_to_its_token_alone(client):
    """A hidden field leaves the answer at any depth; the rest stays as it is."""
    strangers = await (await client.get("/api/v1/orchards/x")).json()
    own = await (await client.get("/api/v1/orchards/x", headers=ADMIN)).json()
    assert own["apples"][0].pop("weight_grams") == 80
    assert strangers == own


async def test_the_sentence_comes_in_the_language_that_was_asked_for(client):
    """Accept-Language picks; a language that we do not speak gives English."""
    for wanted, language in [
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh-Hans"),
        ("fr", "en"),
        ("en;q=0.1,zh", "zh-Hans"),
    ]:
        response = await client.get("/api/v1/pears", headers={"Accept-Language": wanted})
        assert response.headers["Content-Language"] == language
        assert (await error_of(response))["code"] == "not_found"


async def test_every_family_of_refusals_has_its_status(client, caplog):
    """A refusal of the protocol is the asker's, a full disk is the world's, a bug is ours and is not told."""
    caplog.set_level(logging.CRITICAL, "wildgrass.http")
    expected = {"void": 422, "storage": 507, "node": 429, "system": 507, "bug": 500}
    for name, status in expected.items():
        response = await client.get(f"/api/v1/breaks/{name}")
        error = await error_of(response)
        assert response.status == status, name
        assert ("Retry-After" in response.headers) == (status == 429)
        if name == "bug":
            assert error["code"] == "internal"
            assert error["detail"] == response.headers["X-Request-Id"]
            assert "secret" not in json.dumps(error)


async def test_an_unknown_address_and_method_are_told_in_json(client):
    """404 and 405 look like every other refusal, and 405 says what is allowed."""
    assert (await error_of(await client.get("/api/v1/pears")))["code"] == "not_found"
    response = await client.delete("/api/v1/apples/x")
    assert (await error_of(response))["code"] == "method_refused"
    assert set(response.headers["Allow"].split(",")) == {"GET", "HEAD", "PUT"}


async def test_more_work_than_the_node_takes_is_sent_away_at_once(client, orchard):
    """The bound holds while requests wait, and lets go when they end."""
    waiting = [asyncio.create_task(client.get("/api/v1/waits/a")) for _ in range(2)]
    assert [await orchard.entered.get() for _ in waiting] == ["a", "a"]
    refused = await client.get("/api/v1/apples/x")
    assert refused.status == 429
    assert (await error_of(refused))["code"] == "inbox_full"
    assert refused.headers["Retry-After"] == "1"
    orchard.gate.set()
    assert [response.status for response in await asyncio.gather(*waiting)] == [200, 200]
    assert (await client.get("/api/v1/apples/x")).status == 200


@pytest.mark.parametrize(
    ("remote", "private"),
    [
        ("127.0.0.1", True),
        ("192.168.8.2", True),
        ("10.1.2.3", True),
        ("172.31.0.1", True),
        ("172.32.0.1", False),
        ("8.8.8.8", False),
        ("::1", True),
        ("fe80::1%eth0", True),
        ("fd00::1", True),
        ("2001:db8::1", False),
        ("::ffff:192.168.1.1", True),
        ("::ffff:8.8.8.8", False),
        ("unknown", False),
        (None, True),
    ],
)
def test_which_addresses_are_of_one_s_own_network(remote, private):
    """Loopback, link-local and private ranges, in both families."""
    assert is_private_address(remote) is private


async def test_strangers_are_kept_out_until_the_steward_opens_the_node(aiohttp_client):
    """The switch works while the node runs."""
    opened: list[bool] = []
    app = build_app(ROUTES, Orchard(), gate=make_gate(is_open=lambda: bool(opened)))

    @web.middleware
    async def from_afar(request, handler):
        return await handler(request.clone(remote=request.headers.get("X-Test-From", "203.0.113.9")))

    app.middlewares.insert(1, from_afar)
    client = await aiohttp_client(app)
    response = await client.get("/api/v1/apples/x")
    assert (response.status, (await error_of(response))["code"]) == (403, "address_private")
    steward = await client.get("/api/v1/apples/x", headers={"X-Test-From": "127.0.0.1"})
    assert steward.status == 200
    opened.append(True)
    assert (await client.get("/api/v1/apples/x")).status == 200


async def test_health_readiness_and_figures(aiohttp_client):
    """Alive is 200 at once; ready says what is wrong; figures are for the token."""
    wrong: list[NodeError] = []
    metrics = Metrics(version="9.9")
    metrics.watch("records", "Records.", lambda: 42)
    plain = health_routes(checks={"writing": lambda: wrong[0] if wrong else None}, metrics=metrics)
    app = build_app(ROUTES, Orchard(), gate=make_gate(), plain=plain, observe=metrics.observe_request)
    client = await aiohttp_client(app)
    assert (await client.get("/healthz")).status == 200
    assert await (await client.get("/readyz")).json() == {"ready": True, "checks": {"writing": None}}
    wrong.append(NodeError("clock_behind", "5 s"))
    unready = await client.get("/readyz")
    assert unready.status == 503
    assert (await unready.json())["checks"]["writing"]["code"] == "clock_behind"
    assert (await client.get("/metrics")).status == 401
    await client.get("/api/v1/apples/secret-name")
    figures = await (await client.get("/metrics", headers=ADMIN)).text()
    assert "wildgrass_records 42.0" in figures
    assert 'wildgrass_build{version="9.9"} 1.0' in figures
    assert 'route="/api/v1/apples/{name}",status="200"' in figures
    assert "secret-name" not in figures


def test_the_document_and_the_application_name_the_same_routes():
    """No route is missing from the document, and the document invents none."""
    plain = health_routes(checks={}, metrics=Metrics(version="1"))
    app = build_app(ROUTES, Orchard(), gate=make_gate(), plain=plain)
    document = openapi_document(ROUTES, plain, version="1")
    documented = {(m.upper(), path) for path, item in document["paths"].items() for m in item}
    served = {
        (route.method, route.resource.canonical) for route in app.router.routes() if route.method != "HEAD"
    }
    assert documented == served


def test_the_document_puts_every_field_in_its_place():
    """Path fields are parameters and leave the body; the bounds of the types are the document's."""
    document = openapi_document(ROUTES, [], version="1")
    put = document["paths"]["/api/v1/apples/{name}"]["put"]
    assert [(p["name"], p["in"], p["required"]) for p in put["parameters"]] == [("name", "path", True)]
    body = put["requestBody"]["content"]["application/json"]["schema"]
    assert set(body["properties"]) == {"weight_grams", "tags"}
    assert body["properties"]["weight_grams"]["maximum"] == 1000
    shown = document["paths"]["/api/v1/apples/{name}"]["get"]
    assert {(p["name"], p["in"]) for p in shown["parameters"]} == {
        ("name", "path"),
        ("heavy", "query"),
        ("limit", "query"),
        ("tags", "query"),
    }
    post = document["paths"]["/api/v1/apples"]["post"]
    assert post["security"] == [{"bearer": []}]
    assert "security" not in shown
    names = set(document["components"]["schemas"])
    text = json.dumps(document)
    for reference in {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}:
        assert reference in names


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.binary(max_size=200)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["name", "weight_grams", "tags", "x"]), inner, max_size=4)
        ),
        max_leaves=8,
    ).map(lambda value: json.dumps(value).encode())
)
def test_no_body_makes_the_node_fail(body):
    """Any bytes are an answer or a refusal, never a 500."""

    async def ask() -> int:
        from aiohttp.test_utils import TestClient, TestServer

        app = build_app(ROUTES, Orchard(), gate=make_gate())
        async with TestClient(TestServer(app)) as client:
            headers = {**ADMIN, "Content-Type": "application/json"}
            return (await client.post("/api/v1/apples", data=body, headers=headers)).status

    assert asyncio.run(ask()) in (201, 400, 422)
