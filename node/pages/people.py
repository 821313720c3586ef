"""The people of this node, for stewards: admit, change a role, make a new link, dismiss.

A link is shown once, in the answer to the form that made it: it is stored nowhere, so there is no page to go to.
"""

from node.actions.people import (
    NAME_CHARACTERS_MAX,
    LoginLinkDraft,
    PeopleQuery,
    PersonAnswer,
    PersonDraft,
    PersonName,
    RoleDraft,
    admit_person,
    change_role,
    dismiss_person,
    list_people,
    make_login_link,
)
from node.errors import NodeError, report
from node.pages.answering import GoTo, Page
from node.pages.forms import FormRefused
from node.pages.links import draw_qr, link_base
from node.pages.site import Asked, PageRoute

ROLES = ("member", "shopkeeper", "steward")
_NAME_FAULTS = ("person_name_taken", "person_name_refused")


async def show_people(asked: Asked) -> Page:
    """List who may log in."""
    return await _people_page(asked, {})


async def take_person(asked: Asked) -> Page:
    """Admit somebody and show the link that lets them in."""
    form = asked.form
    name = form.text("name", characters_max=NAME_CHARACTERS_MAX, is_required=True)
    role = form.choice("role", ROLES)
    try:
        form.check()
        person = await admit_person(asked.node, PersonDraft(name=name, role=role))  # type: ignore[arg-type]  # chosen of the literal
    except FormRefused as refused:
        return await _people_page(asked, refused.faults)
    except NodeError as error:
        if error.code not in _NAME_FAULTS:
            raise
        said = report(error, language=asked.visit.language)
        return await _people_page(asked, {"name": f"{said.sentence} {said.next_step}"})
    return await _link_page(asked, person)


async def take_link(asked: Asked) -> Page:
    """Make a new link for somebody and show it."""
    return await _link_page(asked, await _chosen(asked))


async def take_role(asked: Asked) -> Page | GoTo:
    """Give somebody another role."""
    role, person = asked.form["role"], await _chosen(asked)
    if role not in ROLES:
        raise NodeError("request_field_refused", "role")
    await change_role(asked.node, RoleDraft(person_id=person.person_id, role=role))  # type: ignore[arg-type]  # chosen of the literal
    return GoTo("/people")


async def take_dismissal(asked: Asked) -> GoTo:
    """Let somebody in no more."""
    person = await _chosen(asked)
    await dismiss_person(asked.node, PersonName(person_id=person.person_id))
    return GoTo("/people")


async def _chosen(asked: Asked) -> PersonAnswer:
    person_id = asked.form["person_id"]
    everybody = (await list_people(asked.node, PeopleQuery())).people
    person = next((one for one in everybody if one.person_id == person_id and not one.dismissed_ms), None)
    if person is None:
        raise NodeError("not_found", "no such person")
    return person


async def _link_page(asked: Asked, person: PersonAnswer) -> Page:
    link = await make_login_link(asked.node, LoginLinkDraft(person_id=person.person_id))
    url = link_base(asked) + link.path
    values = {"person": person, "url": url, "qr": draw_qr(url), "expires_ms": link.expires_ms}
    return Page("person_link.html", {"section": "account", **values})


async def _people_page(asked: Asked, faults: dict[str, str]) -> Page:
    everybody = (await list_people(asked.node, PeopleQuery())).people
    values = {
        "section": "account",
        "faults": faults,
        "form": asked.form,
        "roles": ROLES,
        "people": [person for person in everybody if not person.dismissed_ms],
        "dismissed": [person for person in everybody if person.dismissed_ms],
        "characters_max": NAME_CHARACTERS_MAX,
    }
    return Page("people.html", values, 422 if faults else 200)


PEOPLE_PAGES = (
    PageRoute(method="GET", path="/people", show=show_people, needs="steward"),
    PageRoute(method="POST", path="/people", show=take_person, needs="steward"),
    PageRoute(method="POST", path="/people/link", show=take_link, needs="steward"),
    PageRoute(method="POST", path="/people/role", show=take_role, needs="steward"),
    PageRoute(method="POST", path="/people/dismissal", show=take_dismissal, needs="steward"),
)
