"""Demo terms."""

from uuid import UUID

from config.demo.generator import create_once
from knowledge.models import Term

POSITION = 10
TERMS = (
    ("RAG", "Retrieval-augmented generation: answers based on retrieved passages.", "technical"),
    ("Tenant", "An organisation that uses this installation, isolated from all others.", "technical"),
    ("Engagement", "A project inside an organisation.", "business"),
    (
        "6R",
        "Six ways to move an application: rehost, replatform, refactor, repurchase, retire, retain.",
        "technical",
    ),
    ("Wave", "A group of assets that move together.", "business"),
)


def make_user_samples(user_id: UUID) -> None:
    """Create public terms of the acting user; requires a tenant scope."""
    for term, definition, context in TERMS:
        fields = {"definition": definition, "context": context, "is_public": True}
        create_once(Term, {"term": term, "user_id": user_id}, fields)
