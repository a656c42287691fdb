"""Migration states render only the models they change, on test models."""

import pytest
from django.db import connection, migrations, models
from django.db.migrations.migration import Migration
from django.db.migrations.state import ProjectState, StateApps

from config.db.migration_state import lazy_model_rendering, touches_own_table

LABEL = "made_up"


def reference(to):
    return models.ForeignKey(f"{LABEL}.{to}", models.CASCADE)


def key():
    return models.BigAutoField(primary_key=True)


# A root that all models refer to, like the tenant.
ROOT = migrations.CreateModel("Root", [("id", key()), ("slug", models.CharField(max_length=9, unique=True))])
LEAVES = [
    migrations.CreateModel(f"Leaf{number}", [("id", key()), ("root", reference("Root"))])
    for number in range(8)
]
OWN = [
    migrations.AddField("Root", "title", models.CharField(max_length=9, default="")),
    migrations.AddField("Leaf1", "other", models.ForeignKey(f"{LABEL}.Leaf0", models.CASCADE, null=True)),
    migrations.AddIndex("Leaf1", models.Index(fields=["other"], name="made_up_other")),
    migrations.AddConstraint("Root", models.UniqueConstraint(fields=["title"], name="made_up_title")),
]


def apply_operations(state, *operations):
    """Run the operations and return the resulting state."""
    migration = Migration("0001", LABEL)
    migration.operations = list(operations)
    with connection.schema_editor(collect_sql=True) as editor:
        return migration.apply(state, editor), editor.collected_sql


@pytest.fixture
def rendered(monkeypatch):
    """Record the names of rendered models."""
    names = []
    original = StateApps.render_multiple

    def render(apps, states):
        names.extend(state.name for state in states)
        return original(apps, states)

    monkeypatch.setattr(StateApps, "render_multiple", render)
    return names


def began(rendered):
    state, _ = apply_operations(ProjectState(), ROOT, *LEAVES)
    assert state.apps.get_models()
    rendered.clear()
    return state


def test_an_operation_renders_its_own_model_alone(db, rendered):
    with lazy_model_rendering():
        apply_operations(began(rendered), OWN[0])

    assert set(rendered) == {"Root"}


def test_without_it_all_that_is_related_is_rendered(db, rendered):
    apply_operations(began(rendered), OWN[0])

    assert set(rendered) == {"Root", *(leaf.name for leaf in LEAVES)}


def test_the_statements_are_the_same(db, rendered):
    _, usual = apply_operations(began(rendered), *OWN)
    with lazy_model_rendering():
        _, quick = apply_operations(began(rendered), *OWN)

    assert quick == usual


def test_code_sees_every_relation_as_it_is(db, rendered):
    seen = {}

    def look(apps, editor):
        root, leaf = apps.get_model(LABEL, "Root"), apps.get_model(LABEL, "Leaf1")
        seen["to"] = leaf._meta.get_field("root").related_model is root
        seen["from"] = {each.related_model.__name__ for each in root._meta.related_objects}

    with lazy_model_rendering():
        state, _ = apply_operations(began(rendered), *OWN)
        migration = Migration("0002", LABEL)
        migration.operations = [migrations.RunPython(look)]
        with connection.schema_editor() as editor:
            migration.apply(state, editor)

    assert seen == {"to": True, "from": {leaf.name for leaf in LEAVES}}


@pytest.mark.parametrize(
    "operation",
    [
        migrations.RenameModel("Root", "Trunk"),
        migrations.RenameField("Root", "slug", "name"),
        migrations.AlterField("Root", "id", models.UUIDField(primary_key=True)),
        migrations.AlterModelTable("Root", "trunk"),
        migrations.RunSQL("SELECT 1", state_operations=[migrations.AlterModelTable("Root", "trunk")]),
    ],
)
def test_what_others_need_to_know_runs_as_usual(db, rendered, operation):
    state = began(rendered)

    assert not touches_own_table(operation, LABEL, state)

    _, usual = apply_operations(state.clone(), operation)
    with lazy_model_rendering():
        # Earlier operations left outdated classes.
        changed, _ = apply_operations(began(rendered), OWN[0])
        _, quick = apply_operations(changed, operation)
    assert quick == usual


def test_afterwards_everything_is_as_before():
    before = ProjectState._find_reload_model, Migration.apply
    with lazy_model_rendering():
        assert (ProjectState._find_reload_model, Migration.apply) != before

    assert (ProjectState._find_reload_model, Migration.apply) == before
