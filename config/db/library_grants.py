"""Grants and policies for tables of third-party apps: sessions, sign-in, MFA and jobs.

Their migrations create tables without policies. Only the database roles named here get access. A job belongs to the
tenant whose `tenant_id` is in its arguments.
"""

from config.db.constraints import IDENTITY_CLAUSE, PLATFORM_CLAUSE

GRANTS = """
GRANT SELECT, INSERT, UPDATE, DELETE ON django_session, account_emailaddress, account_emailconfirmation,
  mfa_authenticator TO conclave_identity;
GRANT SELECT ON django_content_type TO conclave_app, conclave_identity, conclave_operator, conclave_reader;
GRANT SELECT ON django_migrations TO conclave_identity;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO conclave_identity;
"""
GRANTS_DROP = """
REVOKE ALL ON django_session, account_emailaddress, account_emailconfirmation, mfa_authenticator,
  django_content_type, django_migrations FROM conclave_app, conclave_identity, conclave_operator, conclave_reader;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM conclave_identity;
"""

OWN_JOBS = "args ->> 'tenant_id' = (SELECT conclave_current_tenant())::text"
EVENT_FUNCTIONS = (
    "procrastinate_trigger_function_status_events_insert_v1",
    "procrastinate_trigger_function_status_events_update_v1",
    "procrastinate_trigger_function_scheduled_events_v1",
    "procrastinate_trigger_abort_requested_events_procedure_v1",
    "procrastinate_unlink_periodic_defers_v1",
)
JOBS = (
    f"""
ALTER TABLE procrastinate_jobs ENABLE ROW LEVEL SECURITY;
ALTER TABLE procrastinate_jobs FORCE ROW LEVEL SECURITY;
CREATE POLICY jobs_app ON procrastinate_jobs TO conclave_app USING ({OWN_JOBS}) WITH CHECK ({OWN_JOBS});
CREATE POLICY jobs_queue ON procrastinate_jobs TO conclave_queue USING (true) WITH CHECK (true);
CREATE POLICY jobs_operator ON procrastinate_jobs TO conclave_operator
  USING ({PLATFORM_CLAUSE}) WITH CHECK ({PLATFORM_CLAUSE});
CREATE POLICY jobs_owner ON procrastinate_jobs TO conclave_owner USING (true) WITH CHECK (true);
GRANT SELECT, INSERT ON procrastinate_jobs TO conclave_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON procrastinate_jobs, procrastinate_events, procrastinate_periodic_defers,
  procrastinate_workers TO conclave_queue, conclave_operator;
GRANT USAGE ON SEQUENCE procrastinate_jobs_id_seq TO conclave_app;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO conclave_queue, conclave_operator;
"""
    # They write the job's history, to which the deferring role has no other access.
    + "".join(
        f"ALTER FUNCTION {name}() SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp;\n"
        f"REVOKE ALL ON FUNCTION {name}() FROM PUBLIC;\n"
        for name in EVENT_FUNCTIONS
    )
)
JOBS_DROP = """
REVOKE ALL ON procrastinate_jobs, procrastinate_events, procrastinate_periodic_defers, procrastinate_workers
  FROM conclave_app, conclave_queue, conclave_operator;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM conclave_app, conclave_queue, conclave_operator;
DROP POLICY jobs_app ON procrastinate_jobs;
DROP POLICY jobs_queue ON procrastinate_jobs;
DROP POLICY jobs_operator ON procrastinate_jobs;
DROP POLICY jobs_owner ON procrastinate_jobs;
ALTER TABLE procrastinate_jobs NO FORCE ROW LEVEL SECURITY;
ALTER TABLE procrastinate_jobs DISABLE ROW LEVEL SECURITY;
""" + "".join(
    f"ALTER FUNCTION {name}() SECURITY INVOKER RESET ALL;\nGRANT EXECUTE ON FUNCTION {name}() TO PUBLIC;\n"
    for name in EVENT_FUNCTIONS
)

# The logins outside scopes inherit the identity role, so its rows need a proof too.
IDENTITY_TABLES = (
    "django_session",
    "account_emailaddress",
    "account_emailconfirmation",
    "mfa_authenticator",
)
IDENTITY_POLICIES = "".join(
    f"""
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
CREATE POLICY {table}_identity ON {table} TO conclave_identity
  USING ({IDENTITY_CLAUSE}) WITH CHECK ({IDENTITY_CLAUSE});
CREATE POLICY {table}_owner ON {table} TO conclave_owner USING (true) WITH CHECK (true);
"""
    for table in IDENTITY_TABLES
)
IDENTITY_POLICIES_DROP = "".join(
    f"""
DROP POLICY {table}_owner ON {table};
DROP POLICY {table}_identity ON {table};
ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY;
ALTER TABLE {table} DISABLE ROW LEVEL SECURITY;
"""
    for table in IDENTITY_TABLES
)
