"""Proofs that no tenant reaches another one's rows, and proofs that these proofs can fail.

`ground` makes tenants with one row in every table; `reads` and `writes` are what one tenant tries against
another, listed in `attacks`; `matrix` runs every attack on every table for every pair; `catalogue` reads off
the schema what must hold; `sabotage` breaks each protection in turn and expects its proof to notice.
"""
