"""Template loader that adapts libraries' templates to the Content-Security-Policy.

The policy allows neither `eval` nor inline scripts and styles without a nonce. Alpine's CSP build evaluates expressions
without `eval`, but supports neither several statements nor access to `window`: those expressions become methods of
`config/static/console/js/console.js`. `config/tests/test_content_security_policy.py` checks that every replaced text
still occurs in the installed libraries.
"""

import re
from typing import Any

from django.template.loaders import app_directories

NONCE = 'nonce="{{ request.csp_nonce }}"'
# Text -> replacement, in the templates of libraries by name.
REPLACEMENTS: dict[str, tuple[tuple[str, str], ...]] = {
    "unfold/layouts/skeleton.html": (
        ("unfold/js/alpine/alpine.js", "console/js/alpine-csp.js"),
        (
            """<script src="{% static 'unfold/js/app.js' %}"></script>""",
            """<script src="{% static 'unfold/js/app.js' %}"></script>
        <script src="{% static 'console/js/console.js' %}"></script>""",
        ),
    ),
    "unfold/helpers/search.html": (
        ("openSearchResults = true; currentIndex = 0", "openResults()"),
        (
            (
                "openSearchResults = false; if ($refs.searchInput.value === '') { $refs.searchInput.blur() }"
                " else { $refs.searchInput.value = '' }"
            ),
            "closeResults($refs.searchInput)",
        ),
    ),
    "unfold/helpers/welcomemsg.html": (
        (
            (
                "sidebarDesktopOpen = !sidebarDesktopOpen; localStorage.setItem('sidebarDesktopOpen',"
                " sidebarDesktopOpen ? '1' : '0');"
            ),
            "sidebarDesktopOpen = !sidebarDesktopOpen",
        ),
    ),
    "unfold/helpers/command.html": (
        (
            (
                "if (!$event.metaKey && !$event.ctrlKey) selectItem("
                "{% if command_show_history %}true{% else %}false{% endif %}, false)"
            ),
            "selectPlain($event, {% if command_show_history %}true{% else %}false{% endif %})",
        ),
    ),
    "unfold/forms/array.html": (
        ('x-data="{items: []}"', 'x-data="arrayField()"'),
        (
            (
                "if ($el.getElementsByTagName('input')[0].name.includes('__prefix__'))"
                " { $el.getElementsByTagName('input')[0].name ="
                " $el.parentElement.getElementsByTagName('input')[0].name }"
            ),
            "takeName($el)",
        ),
        ("items.push({ key: new Date().getTime()})", "add()"),
    ),
    "admin/change_form.html": (
        (
            (
                "activeTab && activeTab !== 'general' ? window.location.pathname + window.location.search"
                " + '#' + activeTab : window.location.pathname + window.location.search"
            ),
            "formAction()",
        ),
    ),
    "admin/actions.html": (("'width: ' + changeListWidth + 'px'", "{width: changeListWidth + 'px'}"),),
}
# The state of the page, in several lines of attributes of `body`.
PAGE_STATE = re.compile(r'x-data="\{\s+\{% if opts %\}activeTab:[^"]+"\s+x-init="[^"]+"')
PAGE_DATA = """x-data="page({% if opts %}'{% tabs_primary_active inline_admin_formsets %}'{% else %}''{% endif %})\""""
INLINE_BLOCK = re.compile(r"<(?:style|script)(?=>| id=\"unfold-theme-colors\">)")
STYLE_ATTRIBUTE = re.compile(r"(?<=[\s}])style=(?=\")")


def adapt(name: str, source: str) -> str:
    """Return a template's source with nonces and without inline styles."""
    for old, new in REPLACEMENTS.get(name, ()):
        source = source.replace(old, new)
    source = PAGE_STATE.sub(PAGE_DATA, source)
    source = INLINE_BLOCK.sub(lambda match: f"{match[0]} {NONCE}", source)
    return STYLE_ATTRIBUTE.sub("data-style=", source)


class Loader(app_directories.Loader):
    """`app_directories.Loader` that adapts each template to the Content-Security-Policy."""

    def get_contents(self, origin: Any) -> str:
        return adapt(str(origin.template_name), super().get_contents(origin))
