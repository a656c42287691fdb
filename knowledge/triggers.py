"""Triggers that maintain the document and chunk counts of collections.

Each statement on documents updates the counts of their collections by the difference. The update locks the
row of the collection until the transaction ends, so writers should change documents last.

Statements on chunks add their languages to the collection.

Other triggers meter searches, documents, files and embeddings.
"""

from tenants.triggers import create_embedding_meter, create_meter, drop_meter

_DELTA = """
  UPDATE knowledge_collection c
  SET document_count = c.document_count + d.documents, chunk_count = c.chunk_count + d.chunks
  FROM (SELECT tenant_id, collection_id, sum(sign * (chunk_count > 0)::int) AS documents,
      sum(sign * chunk_count) AS chunks FROM ({rows}) AS r GROUP BY tenant_id, collection_id) AS d
  WHERE c.tenant_id = d.tenant_id AND c.id = d.collection_id AND (d.documents <> 0 OR d.chunks <> 0);
"""
_OLD = "SELECT tenant_id, collection_id, chunk_count, -1 AS sign FROM old_rows"
_NEW = "SELECT tenant_id, collection_id, chunk_count, 1 AS sign FROM new_rows"

COUNTING = f"""
CREATE FUNCTION knowledge_count_documents() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN {_DELTA.format(rows=_NEW)}
  ELSIF TG_OP = 'DELETE' THEN {_DELTA.format(rows=_OLD)}
  ELSE {_DELTA.format(rows=f"{_OLD} UNION ALL {_NEW}")}
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER knowledge_document_count_insert AFTER INSERT ON knowledge_document
  REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION knowledge_count_documents();
CREATE TRIGGER knowledge_document_count_update AFTER UPDATE ON knowledge_document
  REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION knowledge_count_documents();
CREATE TRIGGER knowledge_document_count_delete AFTER DELETE ON knowledge_document
  REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION knowledge_count_documents();
"""
COUNTING_DROP = """
DROP TRIGGER knowledge_document_count_insert ON knowledge_document;
DROP TRIGGER knowledge_document_count_update ON knowledge_document;
DROP TRIGGER knowledge_document_count_delete ON knowledge_document;
DROP FUNCTION knowledge_count_documents();
"""

# Search analyses a question in the languages of the collection. The condition avoids a lock of its row.
LANGUAGES = """
CREATE FUNCTION knowledge_collect_languages() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
BEGIN
  UPDATE knowledge_collection c SET languages = ARRAY(SELECT DISTINCT unnest(c.languages || n.languages) ORDER BY 1)
  FROM (SELECT tenant_id, collection_id, array_agg(DISTINCT language) AS languages FROM new_rows
    GROUP BY tenant_id, collection_id) AS n
  WHERE c.tenant_id = n.tenant_id AND c.id = n.collection_id AND NOT c.languages @> n.languages;
  RETURN NULL;
END $$;
CREATE TRIGGER knowledge_chunk_languages_insert AFTER INSERT ON knowledge_chunk
  REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION knowledge_collect_languages();
CREATE TRIGGER knowledge_chunk_languages_update AFTER UPDATE ON knowledge_chunk
  REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION knowledge_collect_languages();
"""
LANGUAGES_DROP = """
DROP TRIGGER knowledge_chunk_languages_insert ON knowledge_chunk;
DROP TRIGGER knowledge_chunk_languages_update ON knowledge_chunk;
DROP FUNCTION knowledge_collect_languages();
"""

_DOCUMENT_COLUMNS = "tenant_id, metric_type, quantity, events, occurred_at, user_id"
_FILE_METER = "knowledge_document_file_meter"
_EMBEDDING_TABLES = (
    "knowledge_chunk",
    "knowledge_chunkvectordraft",
    "knowledge_embedding",
    "knowledge_termembedding",
)
METERS = (
    create_meter(
        "knowledge_ragquery",
        "tenant_id, metric_type, quantity, events, occurred_at, user_id, agent_id, service",
        "SELECT tenant_id, 'rag_queries', 1, 1, created_at, user_id, agent_id, 'search' FROM new_rows",
    )
    + create_meter(
        "knowledge_document",
        _DOCUMENT_COLUMNS,
        "SELECT tenant_id, 'documents', 1, 1, created_at, uploaded_by_id FROM new_rows UNION ALL"
        " SELECT tenant_id, 'storage_bytes', file_size, 1, created_at, uploaded_by_id FROM new_rows"
        " WHERE file_size > 0",
    )
    + create_meter(
        "knowledge_document",
        _DOCUMENT_COLUMNS,
        "SELECT n.tenant_id, 'storage_bytes', n.file_size, 1, clock_timestamp(), n.uploaded_by_id FROM new_rows n"
        " JOIN old_rows o ON o.id = n.id WHERE o.checksum <> n.checksum AND n.file_size > 0",
        name=_FILE_METER,
        event="UPDATE",
    )
    + "".join(map(create_embedding_meter, _EMBEDDING_TABLES))
)
METERS_DROP = drop_meter("knowledge_document", name=_FILE_METER) + "".join(
    map(drop_meter, ("knowledge_ragquery", "knowledge_document", *_EMBEDDING_TABLES))
)
