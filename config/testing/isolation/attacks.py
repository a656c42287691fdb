"""Twenty-nine SQL attacks of one tenant on another, run as the application role.

The attacks represent the SQL that a bug in the application could send, and the SQL that could be injected into its
statements to change the scope.

Each function listed here is an attack: the report shows its name, and its docstring describes it. Where an attack
does not apply to a table, the closest one that applies is used.
"""

from config.testing.isolation import forgeries, reads, writes
from config.testing.isolation.runner import Attack

ATTACKS: dict[str, Attack] = {
    attack.__name__: attack
    for attack in (
        reads.read_by_id,
        reads.list_all,
        reads.filter_and_count,
        reads.derived_rows,
        reads.error_oracle,
        reads.explain_analyze,
        reads.lock_rows,
        reads.cursor_rows,
        reads.copy_out,
        reads.cached_plan,
        reads.unset_tenant,
        reads.other_role,
        reads.row_security_off,
        reads.partition_directly,
        reads.change_schema,
        reads.own_functions,
        reads.physical_access,
        reads.definer_functions,
        writes.update_foreign,
        writes.change_owner,
        writes.delete_foreign,
        writes.insert_foreign,
        writes.upsert_and_merge,
        writes.reference_foreign,
        writes.unique_oracle,
        forgeries.forge_tenant,
        forgeries.forge_role,
        forgeries.forge_proof,
        forgeries.read_keys,
    )
}
