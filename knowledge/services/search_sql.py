"""The one statement of a search: a leg of words, a leg of vectors, fused by reciprocal rank, with its explanation.

The tenant stands in it beside the policy: the planner prunes partitions and estimates better with it.
"""

from collections.abc import Sequence
from typing import Any

# Marks of a hit in a snippet, of the private use area; the API turns them into tags after escaping the text.
HIT_START, HIT_END = "\ue000", "\ue001"
HEADLINE = f"StartSel={HIT_START}, StopSel={HIT_END}, MaxWords=40, MinWords=15, MaxFragments=2, FragmentDelimiter= … "

LEXEMES = """
lexemes AS MATERIALIZED (
  SELECT lexeme, quote_literal(lexeme)::tsquery AS query
  FROM unnest(tsvector_to_array(to_tsvector('english', %(query)s))) AS lexeme LIMIT 32
)"""
# BM25 (Robertson and Zaragoza, 2009). `ts_rank_cd` of one lexeme is the sum of its occurrences' weights: its
# frequency, a heading's (A) counting twice the text's (B). A chunk's length is its number of different lexemes.
TEXT_LEG = """
matched AS (
  SELECT c.id, c.search FROM knowledge_chunk c{join}
  WHERE c.tenant_id = %(tenant)s AND c.collection_id = ANY(%(collections)s){where}
    AND c.search @@ (SELECT string_agg(query::text, ' | ')::tsquery FROM lexemes)
), hits AS MATERIALIZED (
  SELECT m.id, l.lexeme, length(m.search)::float AS length,
    2 * ts_rank_cd('{{0.5, 0.5, 0.5, 1}}', m.search, l.query) AS frequency
  FROM matched m JOIN lexemes l ON m.search @@ l.query
), typical AS (
  SELECT avg(length) AS length FROM hits
), rarity AS (
  SELECT lexeme, ln(1 + greatest(%(chunks)s - count(*) + 0.5, 0.5) / (count(*) + 0.5)) AS idf
  FROM hits GROUP BY lexeme
), by_text AS (
  SELECT id, score, row_number() OVER (ORDER BY score DESC, id) AS rank FROM (
    SELECT h.id, sum(r.idf * h.frequency * (%(k1)s + 1)
      / (h.frequency + %(k1)s * (1 - %(b)s + %(b)s * h.length / t.length))) AS score
    FROM hits h JOIN rarity r USING (lexeme) CROSS JOIN typical t GROUP BY h.id
    ORDER BY score DESC, h.id LIMIT %(candidates)s) s
)"""
NO_TEXT_LEG = "by_text AS (SELECT NULL::uuid AS id, 0::float AS score, 0 AS rank WHERE false)"
# A leg for each model, since distances of two models cannot be compared; ranks can.
# By the index where there is one. What it leaves out (it is approximate, and filters after it looks) is found by
# comparing all: nobody gets fewer than there are.
VECTOR_LEG = """
near_{leg} AS MATERIALIZED (
  SELECT v.id, v.embedding <=> %(vector_{leg})s::halfvec AS distance FROM {table} v
  WHERE v.tenant_id = %(tenant)s AND v.collection_id = ANY(%(collections_{leg})s)
  ORDER BY v.embedding <=> %(vector_{leg})s::halfvec LIMIT %(candidates)s
), compared_{leg} AS (
  SELECT id, distance FROM near_{leg} WHERE (SELECT count(*) FROM near_{leg}) = %(candidates)s
  UNION ALL
  SELECT id, distance FROM (
    SELECT v.id, (v.embedding <=> %(vector_{leg})s::halfvec) + 0 AS distance FROM {table} v
    WHERE v.tenant_id = %(tenant)s AND v.collection_id = ANY(%(collections_{leg})s)
      AND (SELECT count(*) FROM near_{leg}) < %(candidates)s
    ORDER BY distance LIMIT %(candidates)s) e
)"""
EXACT_VECTOR_LEG = """
compared_{leg} AS (
  SELECT v.id, (v.embedding <=> %(vector_{leg})s::halfvec) + 0 AS distance FROM {table} v{join}
  WHERE v.tenant_id = %(tenant)s AND v.collection_id = ANY(%(collections_{leg})s){where}
  ORDER BY distance LIMIT %(candidates)s
)"""
RANKED_VECTORS = """
  SELECT id, distance, row_number() OVER (ORDER BY distance, id) AS rank, %(weight_{leg})s::float AS weight
  FROM compared_{leg} WHERE distance < %(farthest_{leg})s"""
NO_VECTOR_LEG = (
    "by_vector AS (SELECT NULL::uuid AS id, 0::float AS distance, 0 AS rank, 0::float AS weight WHERE false)"
)
FUSED = """
fused AS (
  SELECT id, coalesce(%(text_weight)s / (%(offset)s + t.rank), 0)
    + coalesce(v.weight / (%(offset)s + v.rank), 0) AS score,
    t.rank AS text_rank, t.score AS text_score, v.rank AS vector_rank, v.distance
  FROM by_text t FULL JOIN by_vector v USING (id) ORDER BY score DESC, id LIMIT %(limit)s
)
SELECT c.id, c.document_id, d.title, d.filename, d.source, c.content, c.context, c.page, c.chunk_index,
  c.collection_id, f.score, f.text_rank, f.text_score, f.vector_rank, f.distance, {snippet}
FROM fused f JOIN knowledge_chunk c ON c.id = f.id AND c.tenant_id = %(tenant)s
  JOIN knowledge_document d ON d.id = c.document_id AND d.tenant_id = %(tenant)s
ORDER BY f.score DESC, c.id
"""
SNIPPET = """ts_headline('english', c.content,
    (SELECT to_tsquery('simple', string_agg(query::text, ' | ')) FROM lexemes),
    %(headline)s)"""

CHUNK_OF_VECTOR = " JOIN knowledge_chunk c ON c.id = v.id AND c.tenant_id = %(tenant)s"
DOCUMENT_OF_CHUNK = " JOIN knowledge_document d ON d.id = c.document_id AND d.tenant_id = %(tenant)s"
FILTERS = {
    "metadata": " AND (c.metadata @> %(filter_metadata)s OR d.metadata @> %(filter_metadata)s)",
    "documents": " AND c.document_id = ANY(%(filter_documents)s)",
    "sources": " AND d.source = ANY(%(filter_sources)s)",
    "file_types": " AND d.file_type = ANY(%(filter_file_types)s)",
}


def statement(*, tables: Sequence[str], text: bool, filters: dict[str, Any], snippets: bool) -> str:
    """The statement with a leg of words if asked for, and one of vectors for each of `tables`.

    With filters the vectors are compared exactly.
    """
    where = "".join(FILTERS[name] for name in filters)
    text_join = DOCUMENT_OF_CHUNK if filters else ""
    parts = [LEXEMES]
    parts += [TEXT_LEG.format(join=text_join, where=where) if text else NO_TEXT_LEG]
    join = CHUNK_OF_VECTOR + DOCUMENT_OF_CHUNK
    for leg, table in enumerate(tables):
        one = EXACT_VECTOR_LEG if filters else VECTOR_LEG
        parts.append(one.format(leg=leg, table=table, join=join, where=where))
    ranked = " UNION ALL ".join(RANKED_VECTORS.format(leg=leg) for leg in range(len(tables)))
    parts.append(f"\nby_vector AS ({ranked}\n)" if tables else NO_VECTOR_LEG)
    return f"WITH {','.join(parts)},{FUSED.format(snippet=SNIPPET if snippets else 'NULL')}"
