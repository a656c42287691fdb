"""The words of a person and an organisation in a question, in one statement that PostgreSQL keeps the plan of."""

import re
from dataclasses import dataclass
from uuid import UUID

from django.db import connection

from config.tenancy.scope import require_tenant_id

MAX_TEXT_LENGTH = 20_000
# Policies say which terms the person sees; a synonym counts both ways, whoever of the two it was written on.
SQL = """
SELECT t.term, t.definition, t.context, t.is_public, ARRAY(
  SELECT DISTINCT s.term FROM knowledge_termrelation r JOIN knowledge_term s
    ON s.tenant_id = r.tenant_id AND s.id = CASE WHEN r.term_id = t.id THEN r.related_id ELSE r.term_id END
  WHERE r.tenant_id = t.tenant_id AND t.id IN (r.term_id, r.related_id) AND r.kind = 'synonym' ORDER BY 1)
FROM knowledge_term t WHERE t.tenant_id = %(tenant)s::uuid AND strpos(%(text)s::text, lower(t.term)) > 0
ORDER BY length(t.term) DESC, t.id LIMIT 200
"""


@dataclass(frozen=True, slots=True)
class GlossaryTerm:
    """A term that a text holds as a whole word, what it means, and other words for it."""

    term: str
    definition: str
    context: str
    is_public: bool
    synonyms: list[str]


def find_terms(text: str) -> list[GlossaryTerm]:
    """The person's own terms and the public ones in `text`, longest first; needs the person's scope."""
    tenant_id: UUID = require_tenant_id()
    with connection.prepared_cursor() as cursor:  # type: ignore[attr-defined]
        cursor.execute(SQL, {"tenant": tenant_id, "text": text[:MAX_TEXT_LENGTH].lower()})
        found = [GlossaryTerm(*row) for row in cursor.fetchall()]
    return [word for word in found if _contains_term(text, word.term)]


def _contains_term(text: str, term: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(term)}(?!\w)", text, re.IGNORECASE) is not None
