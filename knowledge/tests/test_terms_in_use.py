"""Terms of a text: found as whole words, counted for their person, widened by synonyms."""

import pytest

from config.tenancy.scope import tenant_scope
from config.testing.fixtures import add_member
from knowledge.models import TermRelation
from knowledge.services.terminology import expand_query, find_terms, look_up, note_use, relate_terms
from knowledge.tests.factories import TermFactory

PATH = "/api/v1/terms/"


@pytest.fixture
def colleagues(tenant):
    """A private and a public term of another user."""
    with tenant_scope(tenant, user=add_member(tenant).user):
        return TermFactory(term="secret zone"), TermFactory(term="landing zone", is_public=True)


def test_whole_words_of_own_and_public_terms_are_found(colleagues, scope):
    own = TermFactory(term="SLA")
    TermFactory(term="lan")
    assert find_terms("The sla of the Landing Zone and the secret zone.") == [colleagues[1], own]
    assert find_terms("Slack is a landing zones tool.") == []


def test_use_counts_for_ones_own_terms_alone(colleagues, scope):
    own = TermFactory(term="SLA")
    assert [(term.pk, term.frequency) for term in note_use("Landing zone, SLA, SLA.")] == [(own.pk, 2)]
    colleagues[1].refresh_from_db()
    assert colleagues[1].frequency == 1


def test_synonyms_count_both_ways_and_widen_a_query(scope):
    car, automobile, road = TermFactory(term="car"), TermFactory(term="automobile"), TermFactory(term="road")
    relate_terms(car, automobile, "synonym")
    relate_terms(car, road, "related")
    assert [(found.term, found.synonyms) for found in look_up("An automobile.")] == [(automobile, ["car"])]
    assert expand_query("Which car is fast?") == "Which car is fast? automobile"
    assert expand_query("Which car is an automobile?") == "Which car is an automobile?"


def test_relating_again_changes_the_kind(scope):
    car, automobile = TermFactory(term="car"), TermFactory(term="automobile")
    relate_terms(car, automobile, "related")
    relate_terms(car, automobile, "synonym")
    assert TermRelation.objects.get().kind == "synonym"


def test_the_api_relates_looks_up_and_counts(api_client):
    client = api_client()

    def post(path, body):
        return client.post(f"{PATH}{path}", body, content_type="application/json")

    car, auto = (
        post("", {"term": term, "definition": "A vehicle."}).json() for term in ("car", "automobile")
    )
    assert post(f"{car['id']}/relate/", {"related": auto["id"], "kind": "synonym"}).status_code == 200
    assert post(f"{car['id']}/relate/", {"related": car["id"], "kind": "synonym"}).status_code == 400
    (found,) = post("look-up/", {"text": "My car."}).json()["results"]
    assert (found["term"]["id"], found["synonyms"]) == (car["id"], ["automobile"])
    (used,) = post("note-use/", {"text": "My car."}).json()["results"]
    assert used["term"]["frequency"] == 2


def test_a_private_term_of_others_is_not_related(api_client, colleagues):
    client = api_client()
    own = client.post(PATH, {"term": "a", "definition": "b"}, content_type="application/json").json()
    body = {"related": str(colleagues[0].pk), "kind": "synonym"}
    answer = client.post(f"{PATH}{own['id']}/relate/", body, content_type="application/json")
    assert answer.status_code == 400
