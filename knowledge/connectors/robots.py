"""The Robots Exclusion Protocol (RFC 9309)."""

from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

PRODUCT = "conclave"
MAX_BYTES = 512 * 1024
MAX_RULES = 1000
MAX_DELAY = 60.0


@dataclass
class RobotsRules:
    """Rules of the group that applies: patterns with whether they allow, and the requested delay in seconds."""

    rules: list[tuple[str, bool]] = field(default_factory=list)
    delay: float = 0.0

    def allows(self, url: str) -> bool:
        """Return whether the longest matching rule allows the URL; without one it is allowed."""
        parts = urlsplit(url)
        path = _normalize(parts.path or "/") + (f"?{_normalize(parts.query)}" if parts.query else "")
        matching = [(len(pattern), allowed) for pattern, allowed in self.rules if _matches(pattern, path)]
        # Of two rules of the same length, the one that allows applies.
        return max(matching)[1] if matching else True


def parse_robots(text: str) -> RobotsRules:
    """Return the rules for Conclave in a `robots.txt`, else those for all crawlers."""
    groups: dict[str, RobotsRules] = {}
    agents: list[str] = []
    in_rules, count = False, 0
    for line in text.splitlines():
        name, _, value = line.partition("#")[0].partition(":")
        name, value = name.strip().lower(), value.strip()
        if name == "user-agent":
            agents = [*([] if in_rules else agents), value.lower()]
            in_rules = False
            groups.setdefault(value.lower(), RobotsRules())
        elif name in ("allow", "disallow", "crawl-delay"):
            in_rules, count = True, count + 1
            if count <= MAX_RULES:
                for agent in agents:
                    _add_rule(groups[agent], name, value)
    return groups.get(PRODUCT) or groups.get("*") or RobotsRules()


def _add_rule(group: RobotsRules, name: str, value: str) -> None:
    if name == "crawl-delay":
        try:
            seconds = float(value)
        except ValueError:
            return
        # Rejects NaN.
        group.delay = min(seconds, MAX_DELAY) if seconds > 0 else group.delay
    elif value:
        group.rules.append((_normalize(value), name == "allow"))


def _normalize(path: str) -> str:
    return quote(path, safe="%/*$?=&;:@+,!~'()-._")


def _matches(pattern: str, path: str) -> bool:
    """Return whether `path` matches; `*` stands for any text and a final `$` for the end. Takes linear time."""
    is_anchored = pattern.endswith("$")
    first, *rest = pattern.removesuffix("$").split("*")
    if not path.startswith(first):
        return False
    if not rest:
        return not is_anchored or path == first
    position = len(first)
    *middle, last = rest
    for part in middle:
        position = path.find(part, position)
        if position < 0:
            return False
        position += len(part)
    if is_anchored:
        return len(path) - len(last) >= position and path.endswith(last)
    return path.find(last, position) >= 0
