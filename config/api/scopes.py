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


def intersect_scopes(one: Iterable[str], other: Iterable[str]) -> frozenset[str]:
    """Return the scopes that both `one` and `other` grant."""
    splits = [_split(scope) for scope in other]
    met = (
        [_narrower(*pair) for pair in zip(_split(scope), parts, strict=True)]
        for scope in one
        for parts in splits
    )
    return frozenset(":".join(parts) for parts in met if all(parts))


def _split(scope: str) -> tuple[str, str]:
    resource, _, verb = scope.partition(":")
    return resource, verb or "*"


def _narrower(one: str, other: str) -> str:
    """Return the narrower of two resources or verbs, or an empty string if they have nothing in common."""
    if one == "*" or one == other:
        return other
    return one if other == "*" else ""
