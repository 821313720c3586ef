"""The command line against a running node: what a shop owner types, and what a program reads."""

import json
from pathlib import Path

import pytest

from node.cli.options import percent


def publish_shop(run, served: Path) -> str:
    ran = run(
        "shop",
        "publish",
        "--sector",
        "food",
        "--name-zh",
        "街角",
        "--name-en",
        "Corner",
        "--folder",
        served,
        "--json",
    )
    assert ran.code == 0, ran.err
    return ran.answer["shop_id"]


def publish_apples(run, served: Path, *more: object) -> str:
    shop_id = publish_shop(run, served)
    ran = run(
        *("listing", "publish", "--folder", served, "--json", "--sector", "food", "--shop", shop_id),
        *("--title-zh", "苹果", "--title-en", "Apples", "--price", "12.30", "--currency", "EUR"),
        *("--tax-class", "food", "--tax-rate", "7", "--stock", "5", "--attribute", "organic=true"),
        *("--attribute", "weight_grams=500", "--fulfilment", "pickup", *more),
    )
    assert ran.code == 0, ran.err
    return ran.answer["listing_id"]


def place_order(run, served: Path, listing_id: str) -> tuple[str, str]:
    own = run("status", "--folder", served, "--json").answer["node"]["community"]
    adopted = run(
        *(
            "policy",
            "adopt",
            "--share",
            "seller_community=3",
            "--share",
            "commons=0.5",
            "--folder",
            served,
            "--json",
        )
    )
    assert adopted.code == 0, adopted.err
    ran = run(
        *("order", "place", "--seller", own, "--line", f"food/{listing_id}=2", "--name", "Lin"),
        *("--folder", served, "--json"),
    )
    assert ran.code == 0, ran.err
    return ran.answer["buyer"], ran.answer["order_id"]


def test_a_shop_and_its_listing_are_published_found_and_withdrawn(run, served):
    """From an empty node to 苹果 in the search and out of it again."""
    listing_id = publish_apples(run, served)
    shops = run("shop", "list", "--folder", served)
    assert "Corner" in shops.out
    shown = run("listing", "show", "--sector", "food", listing_id, "--folder", served, "--json").answer
    assert shown["price"] == {"currency": "EUR", "amount_minor": 1230}
    assert shown["tax"] == {"tax_class": "food", "rate_bp": 700}
    assert shown["attributes"] == {"organic": True, "weight_grams": 500}
    assert shown["stock_available_steps"] == 5
    assert "12.30 EUR / C62" in run("listing", "show", "--sector", "food", listing_id, "--folder", served).out
    assert listing_id in run("listing", "list", "--sector", "food", "--folder", served).out
    withdrawn = run("listing", "withdraw", "--sector", "food", listing_id, "--folder", served)
    assert (withdrawn.code, withdrawn.out) == (0, "Withdrawn.\n")
    assert run("listing", "show", "--sector", "food", listing_id, "--folder", served, "--json").answer[
        "is_withdrawn"
    ]


def test_a_listing_comes_from_a_file_and_options_win(run, served, tmp_path):
    """Programs write a JSON file; a person corrects the price beside it."""
    shop_id = publish_shop(run, served)
    fields = {
        "sector": "food",
        "shop_id": shop_id,
        "title": {"en": "Pears"},
        "price": {"currency": "EUR", "amount_minor": 100},
        "unit_code": "KGM",
        "tax": {"tax_class": "food", "rate_bp": 700},
        "fulfilment": ["delivery", "pickup"],
    }
    path = tmp_path / "pears.json"
    path.write_text(json.dumps(fields), "utf-8")
    ran = run(
        *(
            "listing",
            "publish",
            "--file",
            path,
            "--price",
            "2",
            "--currency",
            "EUR",
            "--folder",
            served,
            "--json",
        )
    )
    listing_id = ran.answer["listing_id"]
    shown = run("listing", "show", "--sector", "food", listing_id, "--folder", served, "--json").answer
    assert (shown["price"]["amount_minor"], shown["unit_code"]) == (200, "KGM")
    assert shown["fulfilment"] == ["delivery", "pickup"]


def test_an_order_goes_from_placing_to_refund_by_typing(run, served):
    """Place, accept, fulfil, refund in part; every step says what happened, and the list shows the state."""
    order = place_order(run, served, publish_apples(run, served))
    listed = run("order", "list", "--side", "seller", "--folder", served)
    assert "24.60 EUR" in listed.out
    assert "placed" in listed.out
    assert run("order", "accept", *order, "--folder", served).out == "Accepted.\n"
    assert run("order", "fulfil", *order, "--folder", served).out == "Fulfilled.\n"
    shown = run("order", "show", *order, "--folder", served)
    assert "Apples" in shown.out
    assert "name: Lin" in shown.out
    assert "seller_community" in shown.out
    received = run("order", "receive", order[1], "--folder", served)
    assert received.code == 0, received.err


def test_a_rejection_carries_its_code(run, served):
    """The reason is one stable word."""
    order = place_order(run, served, publish_apples(run, served))
    assert run("order", "reject", *order, "--code", "sold_out", "--folder", served).out == "Rejected.\n"
    answer = run("order", "show", *order, "--folder", served, "--json").answer
    assert (answer["status"], answer["code"]) == ("rejected", "sold_out")
    again = run("order", "accept", *order, "--folder", served, "--json")
    assert again.code == 1
    assert again.answer["error"]["next_step"]


def test_a_refund_names_the_totals_that_are_left(run, served):
    """A total that the order does not have is refused before anything is asked of the node."""
    order = place_order(run, served, publish_apples(run, served))
    for move in ("accept", "fulfil"):
        assert run("order", move, *order, "--folder", served).code == 0
    for wrong in (
        ["--total", "books=1.00"],
        ["--total", "food:9=1.00"],
        ["--total", "food"],
        [],
        ["--full", "--total", "food=1"],
    ):
        ran = run("order", "refund", *order, *wrong, "--folder", served, "--json")
        assert (ran.code, ran.answer["error"]["code"]) == (2, "usage_refused")
    ran = run(
        "order",
        "refund",
        *order,
        "--total",
        "food:7=20.00",
        "--code",
        "damaged",
        "--folder",
        served,
        "--json",
    )
    assert ran.code in (0, 1)
    if ran.code:
        assert ran.answer["error"]["code"] == "move_not_legal"


def test_members_auditors_and_policies_are_kept_by_typing(run, served):
    """Admit, list, release; the auditor's token is shown once."""
    member = run("member", "admit", "--role", "steward", "--folder", served, "--json").answer["member_id"]
    assert member in run("member", "list", "--folder", served).out
    assert run("member", "release", member, "--folder", served).out == "Released.\n"
    token = run(
        "auditor", "admit", "Office", "--lane", "trade", "--days", "3", "--folder", served, "--json"
    ).answer
    assert len(token["token"]) == 52
    listed = run("auditor", "list", "--folder", served).out
    assert "Office" in listed
    assert token["token"] not in listed
    assert run("auditor", "revoke", "Office", "--folder", served).out == "Closed tokens: 1\n"
    adopted = run(
        "policy", "adopt", "--share", "commons@buyer_community=1.5", "--folder", served, "--json"
    ).answer
    assert "commons 1.5 %" in run("policy", "list", "--folder", served).out
    preview = run(
        *("policy", "preview", adopted["policy_id"], "--currency", "EUR", "--total", "food:7=107.00"),
        *("--folder", served, "--json"),
    ).answer
    assert sum(share["amount_minor"] for share in preview["allocations"]) == preview["total_minor"] == 10_700
    assert run("policy", "retire", adopted["policy_id"], "--folder", served).out == "Retired.\n"


def test_the_status_shows_lanes_and_where_each_setting_comes_from(run, served):
    """For a person a page, for a program one object."""
    publish_apples(run, served)
    person = run("status", "--folder", served)
    assert "market/food" in person.out
    assert "The node reads and writes." in person.out
    answer = run("status", "--folder", served, "--json").answer
    assert answer["running"] is True
    assert answer["settings"]["folder"] == {"value": str(served), "origin": "flag"}
    assert answer["settings"]["mdns"] == {"value": True, "origin": "default"}


def test_a_second_start_shows_the_running_node(run, served):
    """`wildgrass up` run twice is no mistake."""
    ran = run("up", "--folder", served, "--json")
    assert ran.code == 0
    assert (ran.answer["already"], ran.answer["running"]) == (True, True)
    assert "The node is running already." in run("up", "--folder", served).out


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["listing", "show", "--sector", "food", "a" * 26], "not_found"),
        (["listing", "show", "--sector", "food", "../status"], "request_field_refused"),
        (["listing", "show", "--sector", "fish", "a" * 26], "sector_unknown"),
        (["listing", "search", ""], "request_field_refused"),
        (["member", "release", "a" * 26], "member_unknown"),
        (["policy", "adopt", "--share", "seller=5"], "role_refused"),
        (["policy", "adopt", "--share", "a=60", "--share", "b=60"], "shares_exceed_whole"),
        (["auditor", "admit", "x", "--lane", "kitchen"], "request_field_refused"),
    ],
)
def test_what_the_node_refuses_is_cause_and_next_step(run, served, arguments, code):
    """Exit code 1, a sentence on standard error, the same in JSON on the last line."""
    ran = run(*arguments, "--folder", served, "--json")
    assert ran.code == 1, ran
    error = ran.answer["error"]
    assert error["code"] == code
    assert error["sentence"] in ran.err
    assert error["next_step"] in ran.err


@pytest.mark.parametrize("text", ["", "-1", "1.234", "1,5", "1e2", "1000", "٥", "01", "five"])
def test_a_percentage_is_written_one_way(text):
    """Basis points are whole: no rounding happens in a shop owner's back."""
    with pytest.raises(Exception, match="percentage"):
        percent(text)


def test_percentages_become_basis_points_exactly():
    """Two digits after the point are all there is."""
    assert [percent(text) for text in ("0", "7", "7.5", "0.25%", "100", "999.99")] == [
        0,
        700,
        750,
        25,
        10_000,
        99_999,
    ]
