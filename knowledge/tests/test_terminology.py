"""Terms: one's own, and the public ones of colleagues, which are read alone."""

import pytest
from django.db import ProgrammingError, transaction

from config.tenancy.scope import tenant_scope
from config.testing.fixtures import add_member
from knowledge.models import Term, TermEmbedding, TermRelation
from knowledge.tests.factories import TermEmbeddingFactory, TermFactory, TermRelationFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def colleague(tenant):
    return add_member(tenant).user


@pytest.fixture
def terms(tenant, colleague):
    """A private and a public term of the colleague's."""
    with tenant_scope(tenant, user=colleague):
        return TermFactory(term="mine"), TermFactory(term="ours", is_public=True)


def test_public_terms_are_read_and_private_ones_are_not(terms, scope):
    own = TermFactory(term="own")

    assert set(Term.objects.all()) == {terms[1], own}


def test_public_term_is_changed_by_its_person_alone(terms, api_client):
    client, (_, public) = api_client(role="admin"), terms
    address = f"/api/v1/terms/{public.pk}/"

    assert client.get(address).json()["term"] == "ours"
    assert client.patch(address, {"definition": "x"}, content_type="application/json").status_code == 404
    assert client.delete(address).status_code == 404


def test_public_term_does_not_leave_the_organisation(terms, other_tenant):
    with tenant_scope(other_tenant, user=add_member(other_tenant).user):
        assert not Term.unscoped.filter(pk=terms[1].pk).exists()


def test_vectors_and_relations_are_seen_with_their_terms(terms, tenant, colleague, member):
    with tenant_scope(tenant, user=colleague):
        shown = TermEmbeddingFactory(term=terms[1])
        TermEmbeddingFactory(term=terms[0])
        TermRelationFactory(term=terms[1], related=terms[0])

    with tenant_scope(tenant, user=member.user):
        assert list(TermEmbedding.objects.all()) == [shown]
        assert not TermRelation.objects.exists()


def test_nobody_adds_relations_or_vectors_to_a_colleagues_term(terms, scope):
    own = TermFactory()
    for make in (
        lambda: TermRelationFactory(term=terms[1], related=own),
        lambda: TermRelationFactory(term=own, related=terms[0]),
        lambda: TermEmbeddingFactory(term=terms[1]),
    ):
        with pytest.raises(ProgrammingError) as caught, transaction.atomic():
            make()
        assert caught.value.__cause__.sqlstate == "42501"


def test_related_terms_go_in_and_out_as_ids(terms, api_client):
    client, (private, public) = api_client(), terms
    wanted = {"term": "zone", "definition": "A part.", "related_terms": [str(public.pk)]}

    made = client.post("/api/v1/terms/", wanted, content_type="application/json")
    refused = client.post(
        "/api/v1/terms/", wanted | {"related_terms": [str(private.pk)]}, content_type="application/json"
    )
    cleared = client.patch(
        f"/api/v1/terms/{made.json()['id']}/", {"related_terms": []}, content_type="application/json"
    )

    assert (made.status_code, made.json()["related_terms"]) == (201, [str(public.pk)])
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (400, "does_not_exist")
    assert cleared.json()["related_terms"] == []
