"""Algebra of scopes `<resource>:<verb>`; `*` stands for any resource or any verb."""

from collections.abc import Iterable


def allows(scopes: Iterable[str], resource: str, verb: str) -> bool:
    """Return whether `scopes` contain `<resource>:<verb>`, directly or by a wildcard."""
    return not {f"{resource}:{verb}", f"{resource}:*", f"*:{verb}", "*:*", "*"}.isdisjoint(scopes)


def covers(held: Iterable[str], scope: str) -> bool:
    """Return whether `held` grants everything that `scope`, wildcards included, grants."""
    resource, _, verb = scope.partition(":")
    if resource == "*" and verb in ("*", ""):
        return not {"*:*", "*"}.isdisjoint(held)
    return allows(held, resource, verb)


def beyond(held: Iterable[str], wanted: Iterable[object]) -> list[str]:
    """Return the scopes of `wanted` that `held` does not cover, sorted, as text."""
    held = frozenset(held)
    return sorted(str(scope) for scope in wanted if not (isinstance(scope, str) and covers(held, scope)))
