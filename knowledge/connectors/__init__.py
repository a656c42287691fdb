"""Connector sources: websites, Git repositories, server folders, feeds, S3 buckets and mailboxes."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from config.db.json_schema import validation_errors
from config.http.session import DownloadSession
from knowledge.choices import ConnectorKind
from knowledge.connectors.base import USER_AGENT, ConnectorError, ConnectorSource, SyncContext
from knowledge.connectors.configs import CONFIGS

__all__ = ("ConnectorError", "ConnectorSource", "SyncContext", "open_source")


@contextmanager
def open_source(
    kind: str, config: dict[str, Any], credentials: dict[str, str], context: SyncContext, *, tenant_id: UUID
) -> Iterator[ConnectorSource]:
    """Open the source of a connector. Call it outside transactions: it uses the network.

    Raises:
        ConnectorError: If the configuration is invalid or the source cannot be opened.
    """
    parsed: Any = _parse_config(kind, config)
    with DownloadSession(USER_AGENT) as session:
        if kind == ConnectorKind.WEBSITE:
            from knowledge.connectors.website import WebsiteSource

            yield WebsiteSource(parsed, context, session)
        elif kind == ConnectorKind.FOLDER:
            from knowledge.connectors.folder import FolderSource

            yield FolderSource(parsed, context, tenant_id)
        elif kind == ConnectorKind.GIT and parsed.path:
            from knowledge.connectors.git import GitSource

            yield GitSource(parsed, context, tenant_id)
        elif kind == ConnectorKind.GIT:
            from knowledge.connectors.git_archive import GitArchiveSource

            yield GitArchiveSource(parsed, context, session, credentials)
        elif kind == ConnectorKind.RSS:
            from knowledge.connectors.rss import RssSource

            yield RssSource(parsed, context, session)
        elif kind == ConnectorKind.S3:
            from knowledge.connectors.s3 import S3Source

            yield S3Source(parsed, context, session, credentials)
        elif kind == ConnectorKind.IMAP:
            from knowledge.connectors.imap import ImapSource

            yield ImapSource(parsed, context, credentials)
        else:
            raise ConnectorError(f"Sources of the kind {kind} are not supported.")


def _parse_config(kind: str, config: dict[str, Any]) -> Any:
    """Return the configuration; settings of the operator may have changed since it was stored."""
    schema = CONFIGS[kind]
    if errors := validation_errors(schema, config):
        path, text = errors[0]
        raise ConnectorError(f"Invalid configuration: {'.'.join(map(str, path))}: {text}")
    return schema.model_validate(config)
