"""Tests of tenant isolation, and mutation tests that show that these tests can fail.

`config.isolation.ground` creates tenants with one row in every table. `config.isolation.reads` and
`config.isolation.writes` define the attacks, which `config.isolation.attacks` lists. `config.isolation.matrix` runs
every attack on every table for every pair of tenants. `config.isolation.catalogue` checks the system catalogs.
`config.isolation.sabotage` breaks each protection in turn and expects its test to fail.
"""
