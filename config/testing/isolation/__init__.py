"""The isolation report: attacks on every table, from every tenant, as the application's database role.

`fixtures` creates tenants with one row in every table. `reads` and `writes` define the attacks, which `attacks`
lists. `runner` runs every attack on every table for every pair of tenants. `catalog_checks` checks the system
catalogs. `mutations` breaks each protection in turn and expects its test to fail.
"""
