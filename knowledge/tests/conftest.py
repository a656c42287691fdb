"""Fixtures for the tests of connectors."""

import pytest

from config.tenancy.scope import tenant_scope
from knowledge.models import Connector, Document
from knowledge.services.connector_sync import sync_connector
from knowledge.tests.factories import CollectionFactory, ConnectorFactory
from knowledge.tests.sites import serve_site

ACTOR = "system:test"


@pytest.fixture
def site(settings):
    """A website on loopback that connectors may read."""
    with serve_site() as server:
        settings.FETCH_NETWORKS, settings.FETCH_PORTS = ["127.0.0.1/32"], [server.port]
        yield server


class ConnectorRunner:
    """A connector of a tenant, its syncs and its documents."""

    def __init__(self, tenant, kind, config, **fields):
        self.tenant = tenant
        with tenant_scope(tenant, actor=ACTOR):
            fields.setdefault("collection", CollectionFactory())
            self.connector = ConnectorFactory(kind=kind, config=config, **fields)

    def sync(self, **options):
        """Sync, and return the status with the counts of added, changed, deleted, unchanged and failed items."""
        sync_connector(self.tenant.pk, self.connector.pk, **options)
        row = self.load()
        counts = (
            row.added_count,
            row.changed_count,
            row.deleted_count,
            row.unchanged_count,
            row.failed_count,
        )
        return row.status, *counts

    def load(self):
        with tenant_scope(self.tenant):
            return Connector.objects.get(pk=self.connector.pk)

    def error(self):
        return self.load().error_message

    def documents(self):
        """Return the checksums of the connector's documents by source."""
        with tenant_scope(self.tenant):
            rows = Document.objects.filter(connector_id=self.connector.pk)
            return dict(rows.values_list("source", "checksum"))


@pytest.fixture
def connect(tenant):
    """Return a function that adds a connector."""
    return lambda kind, config, **fields: ConnectorRunner(tenant, kind, config, **fields)
