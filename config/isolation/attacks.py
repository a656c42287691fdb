"""Twenty-five attacks of one tenant on another, in SQL, in the hat that the application wears.

They stand for everything a mistake in our code could send. Text of a stranger as SQL is not among them:
whoever writes SQL in a tenant's scope could set the tenant too, so the application has no such place.

Each function of `reads` and `writes` that stands here is an attack; its name is the report's, its docstring
says what it tries. A table where an attack makes no sense gets the nearest one that does.
"""

from config.isolation import reads, writes
from config.isolation.matrix import Attack

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
    )
}
