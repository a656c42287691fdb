"""The parts of pages that their Content-Security-Policy blocks."""

import re
from html.parser import HTMLParser

FORBIDDEN = ("unsafe-inline", "unsafe-eval", "strict-dynamic", "*")
# Syntax and names that Alpine's CSP build does not evaluate.
UNSUPPORTED = re.compile(r";\s*\S|=>|`|\b(if|new|window|document|localStorage|navigator)\b")
STRING = re.compile(r"'[^']*'")
ALPINE = re.compile(r"^(x-(data|init|show|text|model|if|bind|on|effect)|@|:)")


class ViolationParser(HTMLParser):
    """Parser that collects parts of a page that the policy would block."""

    def __init__(self, nonce):
        super().__init__()
        self.nonce, self.violations = nonce, []

    def handle_starttag(self, tag, attrs):
        named = dict(attrs)
        inline = tag == "style" or (
            tag == "script" and "src" not in named and named.get("type") != "application/json"
        )
        if inline and (not self.nonce or named.get("nonce") != self.nonce):
            self.violations.append(f"<{tag}> without the nonce")
        for name, value in attrs:
            value = value or ""
            if name == "style" or name.startswith("on") or value.strip().lower().startswith("javascript:"):
                self.violations.append(f"<{tag} {name}={value!r}>")
            if ALPINE.match(name) and UNSUPPORTED.search(STRING.sub("''", value)):
                self.violations.append(f"<{tag} {name}={value!r}>")


def directives(response):
    parts = (part.split() for part in response["Content-Security-Policy"].split(";"))
    return {words[0]: words[1:] for words in parts if words}


def find_violations(response):
    policy = directives(response)
    nonces = [source[7:-1] for source in policy.get("script-src", []) if source.startswith("'nonce-")]
    parser = ViolationParser(nonces[0] if nonces else "")
    parser.feed(response.content.decode())
    allowed = " ".join(source for sources in policy.values() for source in sources)
    missing = {"base-uri", "form-action", "frame-ancestors", "object-src"} - policy.keys()
    return [*parser.violations, *(word for word in FORBIDDEN if word in allowed), *missing]
