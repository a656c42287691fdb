"""Names that were replaced do not come back. Words with another, correct use elsewhere are not listed."""

import re
import subprocess
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(settings.BASE_DIR)
REPLACED = (
    # names
    *("HouseModel", "HouseSerializer", "HouseAdmin", "HouseQuerySet", "HouseRouter", "HouseFilterSet"),
    *("HouseFactory", "HouseForm", "HouseInline", "HouseResource", "house_models", "HOUSE_APPS"),
    *("wearing", "Stamp", "ensure_stamped", "stamped", "current_stamp", "STAMP_SQL", "NO_STAMP"),
    *("SessionContext", "apply_session", "current_session", "EMPTY_SESSION", "ScopeKind"),
    *(
        "Wish",
        "WishFailed",
        "TextPiece",
        "CallPiece",
        "Told",
        "bring_file",
        "KeptFile",
        "keep_file",
        "forget_file",
    ),
    *("seats_of", "_disguised", "written_out", "NotCompilable", "respell"),
    *("Ground", "Sabotage", "Grown", "SoftDeleted", "younger_than", "newest_bound", "NOT_YET"),
    *(
        "NamesIds",
        "NamesThings",
        "KnowsAccess",
        "ExportsRows",
        "OfConversation",
        "OfOwnConversations",
        "Understood",
    ),
    *(
        "MomentField",
        "MomentFilter",
        "SeveralFilter",
        "LabelFilter",
        "AddressFilter",
        "AnsweringView",
        "is_verb",
    ),
    # modules
    *("tenants.scoping", "tenants.managers", "tenants.bases", "config.db.stamps", "config.testing.hats"),
    *("config.isolation", "config.net", "config.db.embedded", "config.db.keyring", "config.db.fields"),
    *("config.api.statements", "config.api.json_sql", "config.api.integrity", "config.api.lookups"),
    *("conversations.runtime.wishes", "conversations.runtime.wire_model", "conversations.runtime.keeper"),
    *("workflows.rules", "services.agenda", "services.upkeep", "test_house"),
)
PATTERN = re.compile(r"(?<![\w.])(" + "|".join(re.escape(name) for name in REPLACED) + r")(?!\w)")
# These files list names and phrases.
LISTS = ("config/tests/test_conventions_names.py", "config/tests/test_conventions_prose.py")
READ = (".py", ".md", ".html", ".sh", ".toml", ".yaml")


def find_old_names(text):
    """Return the replaced names that occur in `text` as whole words."""
    return PATTERN.findall(text)


def test_replaced_names_do_not_occur():
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    found = {
        name: sorted(set(names))
        for name in tracked.splitlines()
        if name.endswith(READ)
        and name not in LISTS
        and (ROOT / name).is_file()
        and (names := find_old_names((ROOT / name).read_text()))
    }

    assert found == {}


@pytest.mark.parametrize("text", ["class A(HouseModel):", "import tenants.scoping", "with wearing(role):"])
def test_a_replaced_name_is_found(text):
    assert find_old_names(text)
