"""Framework of the demo data: samples, and a generated history of half a year at any scale.

The same seed gives the same history on any day: it ends at `generator.UNTIL`, and ids come from the seeded generator
and the time of each row. A module `<app>.demo` may define:

| name | meaning |
|---|---|
| `POSITION` | required; modules with a lower position are called earlier, and their tables emptied later |
| `TABLES` | tables of the history; each precedes the tables it refers to |
| `make_history(state)` | adds its part of the history |
| `make_platform_samples()`, `make_user_samples(user_id)` | create samples in the platform scope and in a tenant scope |
| `delete_derived(tenant_id)` | deletes rows that jobs derived from the history |
"""
