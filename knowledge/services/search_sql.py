"""SQL of hybrid search: text and vector legs fused by their scores.

The statement filters by tenant although a policy does too: the planner then prunes partitions and estimates better.
"""

from collections.abc import Mapping, Sequence
from typing import Any

# Private-use characters that mark matches in a snippet; the API replaces them with tags after escaping the text.
HIT_START, HIT_END = "\ue000", "\ue001"

# The words of the question (`word`, its lexeme in the question's language, so without the stop words of that language)
# and what they become in each language of the collections. `repeats`: how often the question has the word. `sought`:
# chunks that have one of these are looked at. A word that is frequent only scores, unless there is none rarer.
LEXEMES = """
asked AS MATERIALIZED (
  SELECT asked.lexeme AS word, position
  FROM unnest(knowledge_to_tsvector(%(language)s, %(query)s)) AS asked, unnest(asked.positions) AS position
), lexemes AS MATERIALIZED (
  SELECT language, lexeme, word, quote_literal(lexeme)::tsquery AS query, repeats, share,
    place = 1 OR share = 0 OR found <= %(matched)s AS sought
  FROM (
    SELECT l.*, row_number() OVER rarest AS place, %(chunks)s * sum(share) OVER rarest AS found
    FROM (
      SELECT a.language, t.lexeme, min(asked.word) AS word, count(*) AS repeats, coalesce(max(k.share), 0) AS share
      FROM (SELECT DISTINCT unnest(languages) AS language FROM knowledge_collection
          WHERE tenant_id = %(tenant)s AND id = ANY(%(collections)s)) a
        CROSS JOIN unnest(knowledge_to_tsvector(a.language, %(query)s)) AS t
        CROSS JOIN unnest(t.positions) AS p (position) JOIN asked USING (position)
        LEFT JOIN unnest(%(frequent)s::text[], %(shares)s::float[]) AS k (lexeme, share) ON k.lexeme = t.lexeme
      GROUP BY a.language, t.lexeme) l
    WINDOW rarest AS (PARTITION BY language ORDER BY share, repeats DESC, length(lexeme) DESC, lexeme)) r
  WHERE place <= %(words)s
)"""
# BM25 (Robertson and Zaragoza, 2009). `ts_rank_cd` of one lexeme is the sum of its occurrences' weights: its
# frequency, a heading's (A) counting twice the text's (B). A chunk's length is its number of different lexemes.
# `||` decompresses a vector once; otherwise each use of it does. The aggregates are materialized: the planner cannot
# estimate the number of hits, and inlined aggregates were computed again for each hit.
TEXT_LEG = """
matched AS (
  SELECT c.id, c.language, c.search || '' AS search FROM knowledge_chunk c{join}
  WHERE c.tenant_id = %(tenant)s AND c.collection_id = ANY(%(collections)s){where}
    AND {match}
  OFFSET 0
), hits AS MATERIALIZED (
  SELECT m.id, l.language, l.lexeme, l.word, l.repeats, length(m.search)::float AS length,
    2 * ts_rank_cd('{{0.5, 0.5, 0.5, 1}}', m.search, l.query) AS frequency
  FROM matched m JOIN lexemes l ON l.language = m.language AND m.search @@ l.query
), typical AS MATERIALIZED (
  SELECT avg(length) AS length FROM hits
), rarity AS MATERIALIZED (
  SELECT word, ln(1 + greatest(%(chunks)s - found + 0.5, 0.5) / (found + 0.5)) AS idf FROM (
    SELECT l.word, sum(CASE WHEN l.sought THEN coalesce(h.found, 0) ELSE l.share * %(chunks)s END) AS found
    FROM lexemes l LEFT JOIN (SELECT language, lexeme, count(*) AS found FROM hits GROUP BY language, lexeme) h
      USING (language, lexeme) GROUP BY l.word) f
), by_text AS (
  SELECT id, score, score / max(score) OVER () AS share, row_number() OVER (ORDER BY score DESC, id) AS rank FROM (
    SELECT h.id, sum(h.repeats * r.idf * h.frequency * (%(k1)s + 1)
      / (h.frequency + %(k1)s * (1 - %(b)s + %(b)s * h.length / t.length))) AS score
    FROM hits h JOIN rarity r USING (word) CROSS JOIN typical t GROUP BY h.id
    ORDER BY score DESC, h.id LIMIT %(candidates)s) s
)"""
# One leg per model.
# The index is approximate and filters after scanning. If it returns too few rows, all vectors are compared.
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
# Cosines of language models lie close together, in a range that differs by model, so they are scaled to the range of
# the candidates. Those of the lexical embedder are not: most of its candidates share no word with the question.
SIMILARITY = "greatest(0, 1 - distance)"
RELATIVE_SIMILARITY = """coalesce((max(distance) OVER () - distance)
      / nullif(max(distance) OVER () - min(distance) OVER (), 0), 1)"""
RANKED_VECTORS = """
  SELECT id, distance, row_number() OVER (ORDER BY distance, id) AS rank,
    %(weight_{leg})s::float * {similarity} AS share
  FROM compared_{leg} WHERE distance < %(farthest_{leg})s"""
TEXT_SHARE = "%(text_weight)s * t.share"
VECTOR_SHARE = "v.share"
FUSED = """
fused AS (
  SELECT id, {score} AS score, {text}, {vector}, NULL::float AS boost
  FROM {legs} ORDER BY score DESC, id LIMIT %(limit)s
)"""
# Half of the score for each half-life of the document's age, and the product of the factors of its tags. The exponent
# is limited because a result near zero is an error of PostgreSQL.
BOOSTED = """
unboosted AS (
  SELECT id, {score} AS score, {text}, {vector} FROM {legs}
), fused AS (
  SELECT u.id, u.score * b.boost AS score, u.text_rank, u.text_score, u.vector_rank, u.distance, b.boost
  FROM unboosted u JOIN knowledge_chunk c ON c.id = u.id AND c.tenant_id = %(tenant)s
    JOIN knowledge_document d ON d.id = c.document_id AND d.tenant_id = %(tenant)s
    CROSS JOIN LATERAL (SELECT %(boosts)s::jsonb -> c.collection_id::text AS options,
      CASE WHEN pg_input_is_valid(d.metadata ->> 'date', 'timestamptz') THEN (d.metadata ->> 'date')::timestamptz
        ELSE coalesce(d.uploaded_at, d.created_at) END AS date) o
    CROSS JOIN LATERAL (SELECT
      power(0.5::float, least(500, coalesce(greatest(0, extract(epoch FROM now() - o.date)::float / 86400)
        / (o.options ->> 'half_life')::float, 0)))
      * coalesce((SELECT exp(sum(ln(value::float))) FROM jsonb_each_text(o.options -> 'tags')
        WHERE d.metadata -> 'tags' ? key), 1) AS boost) b
  ORDER BY score DESC, id LIMIT %(limit)s
)"""
FOUND = """
SELECT c.id, c.document_id, d.title, d.filename, d.source, c.content, c.context, c.page, c.chunk_index,
  c.collection_id, CASE WHEN c."end" > c.start THEN c.start END,
  f.score, f.text_rank, f.text_score, f.vector_rank, f.distance, f.boost, {snippet}
FROM fused f JOIN knowledge_chunk c ON c.id = f.id AND c.tenant_id = %(tenant)s
  JOIN knowledge_document d ON d.id = c.document_id AND d.tenant_id = %(tenant)s
ORDER BY f.score DESC, c.id
"""
TEXT_WHY, NO_TEXT_WHY = (
    "t.rank AS text_rank, t.score AS text_score",
    "NULL::bigint AS text_rank, NULL::float AS text_score",
)
VECTOR_WHY, NO_VECTOR_WHY = (
    "v.rank AS vector_rank, v.distance",
    "NULL::bigint AS vector_rank, NULL::float AS distance",
)
SNIPPET = """knowledge_headline(c.language, c.content,
    (SELECT array_agg(l.lexeme) FROM lexemes l WHERE l.language = c.language), %(hit_start)s, %(hit_end)s)"""

CHUNK_OF_VECTOR = " JOIN knowledge_chunk c ON c.id = v.id AND c.tenant_id = %(tenant)s"
DOCUMENT_OF_CHUNK = " JOIN knowledge_document d ON d.id = c.document_id AND d.tenant_id = %(tenant)s"
FILTERS = {
    "metadata": " AND (c.metadata @> %(filter_metadata)s OR d.metadata @> %(filter_metadata)s)",
    "documents": " AND c.document_id = ANY(%(filter_documents)s)",
    "sources": " AND d.source = ANY(%(filter_sources)s)",
    "file_types": " AND d.file_type = ANY(%(filter_file_types)s)",
    "languages": " AND c.language = ANY(%(filter_languages)s)",
    "tags": " AND d.metadata -> 'tags' ?| %(filter_tags)s",
    "uploaded_after": " AND d.uploaded_at >= %(filter_uploaded_after)s",
    "uploaded_before": " AND d.uploaded_at < %(filter_uploaded_before)s",
}
# Conditions of `query_syntax`; callers cannot pass them, because they contain regular expressions.
OPERATORS = {
    "phrases": r" AND (c.context || ' ' || c.content) ~* ALL(%(filter_phrases)s)",
    "excluded": r" AND NOT (c.context || ' ' || c.content) ~* ANY(%(filter_excluded)s)",
    "titles": " AND (d.title || ' ' || c.context) ~* ALL(%(filter_titles)s)",
}


# The GIN index covers all tenants, so the posting list of a frequent word is long. A tenant with few chunks scans
# them instead; `ts_match_vq` is the function behind `@@` and cannot use the index.
BY_INDEX = "c.search @@ (SELECT string_agg(query::text, ' | ')::tsquery FROM lexemes WHERE sought)"
BY_READING = (
    "ts_match_vq(c.search, (SELECT string_agg(query::text, ' | ')::tsquery FROM lexemes WHERE sought))"
)


def build_search_sql(
    *,
    tables: Sequence[str],
    relative: Sequence[bool] = (),
    text: bool,
    filters: Mapping[str, Any],
    snippets: bool,
    by_index: bool = True,
    approximate: bool = True,
    boosted: bool = False,
) -> str:
    """Return the statement with an optional text leg and a vector leg per table.

    Args:
        relative: For each table, whether its similarities are scaled to the range of the candidates.
        by_index: Whether to match words with the index instead of scanning every chunk.
        approximate: Whether to use the vector index; with filters, vectors are always compared exactly.
        boosted: Whether to multiply scores by the boosts of their documents.
    """
    where = "".join((FILTERS | OPERATORS)[name] for name in filters)
    parts = [LEXEMES] if text or snippets else []
    if text:
        match = BY_INDEX if by_index else BY_READING
        parts.append(TEXT_LEG.format(join=DOCUMENT_OF_CHUNK if filters else "", where=where, match=match))
    join = CHUNK_OF_VECTOR + DOCUMENT_OF_CHUNK if filters else ""
    for leg, table in enumerate(tables):
        one = VECTOR_LEG if approximate and not filters else EXACT_VECTOR_LEG
        parts.append(one.format(leg=leg, table=table, join=join, where=where))
    if tables:
        ranked = " UNION ALL ".join(
            RANKED_VECTORS.format(leg=leg, similarity=RELATIVE_SIMILARITY if scaled else SIMILARITY)
            for leg, scaled in enumerate(relative or [False] * len(tables))
        )
        parts.append(f"\nby_vector AS ({ranked}\n)")
    fused = BOOSTED if boosted else FUSED
    return f"WITH {','.join(parts)},{_build_fusion_sql(fused, text, bool(tables), snippets=snippets)}"


def _build_fusion_sql(fused: str, text: bool, vectors: bool, *, snippets: bool) -> str:
    both = text and vectors
    shares = [TEXT_SHARE] * text + [VECTOR_SHARE] * vectors
    return (fused + FOUND).format(
        score=" + ".join(f"coalesce({share}, 0)" for share in shares) if both else shares[0],
        text=TEXT_WHY if text else NO_TEXT_WHY,
        vector=VECTOR_WHY if vectors else NO_VECTOR_WHY,
        legs="by_text t FULL JOIN by_vector v USING (id)"
        if both
        else ("by_text t" if text else "by_vector v"),
        snippet=SNIPPET if snippets else "NULL",
    )
