import django.db.models.deletion
import django.db.models.manager
import pgvector.django.halfvec
from django.db import migrations, models

import config.db.constraints
import config.db.partitions
from knowledge import functions as sql

CARRY = "CREATE TEMPORARY TABLE carried ON COMMIT DROP AS SELECT id, tenant_id, collection_id, embedding FROM knowledge_chunkvector384"
BRING = """INSERT INTO knowledge_chunkvector384 (id, tenant_id, collection_id, embedding)
  SELECT id, tenant_id, collection_id, embedding FROM carried; DROP TABLE carried"""


def table(dimensions):
    """The table of vectors of one length, partitioned by tenant."""
    name = f"ChunkVector{dimensions}"
    prefix = f"knowledge_chunkvector{dimensions}"
    constraints = [
        config.db.constraints.SameTenant(
            column="id", field="id", name=f"{prefix}_chunk", on_delete="CASCADE", target="knowledge.Chunk"
        ),
        config.db.constraints.RowLevelSecurity(name=f"{prefix}_rls"),
        models.UniqueConstraint(fields=("tenant", "id"), name=f"{prefix}_tenant_id"),
        config.db.constraints.SameTenant(
            field="collection", name=f"{prefix}_collection_same", on_delete="CASCADE"
        ),
    ]
    return [
        migrations.CreateModel(
            name=name,
            fields=[
                ("id", models.UUIDField(editable=False, help_text="The chunk's id.", primary_key=True, serialize=False)),
                ("tenant", models.ForeignKey(db_constraint=False, db_index=False, editable=False, help_text="Tenant that owns the row.", on_delete=django.db.models.deletion.DO_NOTHING, related_name="+", to="tenants.tenant")),
                ("collection", models.ForeignKey(db_constraint=False, help_text="The chunk's collection.", on_delete=django.db.models.deletion.DO_NOTHING, related_name="+", to="knowledge.collection")),
                ("embedding", pgvector.django.halfvec.HalfVectorField(dimensions=dimensions, help_text="The vector.")),
            ],
            options={"ordering": ["-id"], "abstract": False, "base_manager_name": "unscoped"},
            bases=(config.db.partitions.PartitionedByTenantMixin, models.Model),
            managers=[
                ("objects", django.db.models.manager.Manager()),
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        migrations.AddIndex(
            model_name=name.lower(),
            index=models.Index(fields=["tenant", "collection"], name=f"{prefix}_coll"),
        ),
        *(migrations.AddConstraint(model_name=name.lower(), constraint=each) for each in constraints),
    ]


class Migration(migrations.Migration):
    """Vectors partitioned by LIST of tenants: the one table there was is made anew, its rows carried over."""

    dependencies = [("knowledge", "0003_feedback_check"), ("tenants", "0003_plans_usage_regions_platform")]

    operations = [
        migrations.RunSQL(CARRY, BRING),
        migrations.DeleteModel("ChunkVector384"),
        *table(384),
        migrations.RunSQL(BRING, CARRY),
        *table(768),
        *table(1024),
        *table(1536),
        migrations.RunSQL(sql.VECTORS, sql.VECTORS_DROP),
    ]
