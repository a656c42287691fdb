"""Glossary terms of a person and an organisation in a question, in one statement with a cached plan."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from config.db.prepared import run_prepared
from config.tenancy.scope import require_tenant_id

MAX_TEXT_LENGTH = 20_000
# RLS policies decide which terms the person sees. Synonyms apply in both directions.
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
    """A term that occurs in a text as a whole word, with its definition and synonyms."""

    term: str
    definition: str
    context: str
    is_public: bool
    synonyms: list[str]


def find_terms(text: str) -> list[GlossaryTerm]:
    """Return the personal and public terms in `text`, longest first. Needs a user scope."""
    return filter_whole_words(text, run_prepared(SQL, get_parameters(text)))


def get_parameters(text: str) -> dict[str, Any]:
    """Return the parameters of the statement."""
    return {"tenant": require_tenant_id(), "text": text[:MAX_TEXT_LENGTH].lower()}


def filter_whole_words(text: str, rows: Iterable[tuple[Any, ...]]) -> list[GlossaryTerm]:
    """Return the rows of the statement whose terms occur in `text` as whole words."""
    return [term for term in (GlossaryTerm(*row) for row in rows) if _contains_term(text, term.term)]


def _contains_term(text: str, term: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(term)}(?!\w)", text, re.IGNORECASE) is not None
