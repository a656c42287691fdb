"""Policies that trust the scope only with a proof.

A new database has most of this from its first migrations.
"""

from django.db import migrations

from config.db import functions, library_grants, reports, scope_functions
from config.db.constraints import IDENTITY_CLAUSE, PLATFORM_CLAUSE

REPORTS = ("agents_usagedaily",)

# Policies of earlier versions: the operator and the identity role see rows without a proof.
POLICIES = f"""
DO $$ DECLARE p record; BEGIN
  FOR p IN SELECT polname, polrelid::regclass AS name, pg_get_expr(polqual, polrelid) AS rows,
      CASE polroles[1] WHEN 'conclave_operator'::regrole THEN '{PLATFORM_CLAUSE}' ELSE '{IDENTITY_CLAUSE}' END AS proof
    FROM pg_policy WHERE polcmd = '*' AND (polroles = ARRAY['conclave_operator'::regrole::oid]
      OR polroles = ARRAY['conclave_identity'::regrole::oid]) AND pg_get_expr(polqual, polrelid) NOT LIKE '%_scope()%'
  LOOP
    p.proof := CASE p.rows WHEN 'true' THEN p.proof ELSE format('%s AND %s', p.rows, p.proof) END;
    EXECUTE format('ALTER POLICY %I ON %s USING (%s) WITH CHECK (%s)', p.polname, p.name, p.proof, p.proof);
  END LOOP;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("config", "0002_initial"), ("agents", "0001_initial")]
    operations = [
        migrations.RunSQL(scope_functions.SCOPE_PROOFS, scope_functions.SCOPE_PROOFS_REVERT),
        migrations.RunSQL(functions.AUDIT, migrations.RunSQL.noop),
        migrations.RunSQL(functions.MEMBERSHIPS, migrations.RunSQL.noop),
        migrations.RunSQL(POLICIES, migrations.RunSQL.noop),
        migrations.RunSQL(
            "".join(reports.report_view(table) for table in REPORTS), migrations.RunSQL.noop
        ),
        migrations.RunSQL(library_grants.IDENTITY_POLICIES, library_grants.IDENTITY_POLICIES_DROP),
    ]
