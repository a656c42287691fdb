"""Operations of migrations that share one rendering of the models."""

import pytest
from django.db import migrations, models
from django.db.migrations.state import ModelState, ProjectState

from config.db.operations import AlterConstraints, OperationGroup, group_operations, split_operations

TEXT = models.TextField(default="")


def add(name, model="note"):
    return migrations.AddField(model, name, TEXT)


def alter(name):
    return migrations.AlterField("note", name, models.TextField(default="x"))


def constrain(name):
    return migrations.AddConstraint("note", models.CheckConstraint(condition=models.Q(title="a"), name=name))


def deduplicate(name, model="note"):
    condition = models.Q(title="a")
    return migrations.AddConstraint(
        model, models.UniqueConstraint(fields=["title"], condition=condition, name=name)
    )


def release(name):
    return migrations.RemoveConstraint("note", name)


def index(name):
    return migrations.AddIndex("note", models.Index(fields=["title"], name=name))


CREATE, OTHER = (
    migrations.CreateModel("New", [("id", models.AutoField(primary_key=True))]),
    migrations.RunSQL(""),
)


@pytest.mark.parametrize(
    ("operations", "sizes"),
    [
        ([add("a"), alter("b"), index("i"), constrain("c"), release("d")], [5]),
        ([add("a"), add("a", model="other")], [2]),
        ([add("a"), alter("a")], [1, 1]),
        ([release("c"), constrain("c")], [2]),
        ([constrain("c"), release("c")], [1, 1]),
        ([constrain("c"), constrain("c")], [1, 1]),
        ([AlterConstraints(remove=[("note", "c")]), release("c")], [1, 1]),
        ([CREATE, CREATE, index("i")], [2, 1]),
        ([add("title"), deduplicate("c")], [1, 1]),
        ([add("title", model="other"), constrain("d"), deduplicate("c")], [3]),
        ([add("a"), OTHER, OTHER, add("b"), add("c")], [1, 1, 1, 2]),
    ],
)
def test_operations_that_need_the_state_between_them_stand_apart(operations, sizes):
    assert [len(each) for each in split_operations(operations)] == sizes


def state_of_notes():
    state = ProjectState()
    constraint = models.CheckConstraint(condition=models.Q(title="old"), name="c")
    fields = [("id", models.AutoField(primary_key=True)), ("title", models.TextField())]
    state.add_model(ModelState("notes", "Note", fields, {"constraints": [constraint], "indexes": []}))
    state.apps.get_model("notes", "note")
    return state


def apply(operations, state):
    for operation in operations:
        operation.state_forwards("notes", state)
    meta = state.apps.get_model("notes", "note")._meta
    return meta.constraints, meta.indexes, [field.name for field in meta.fields]


@pytest.mark.parametrize(
    "operations",
    [
        [release("c"), constrain("c"), index("i")],
        [constrain("d")],
        [release("c"), add("body"), index("i")],
        [add("body"), constrain("d")],
    ],
)
def test_grouped_operations_lead_to_the_same_models(operations):
    assert apply(group_operations(operations), state_of_notes()) == apply(operations, state_of_notes())


def test_constraints_change_without_rendering_the_models():
    state = state_of_notes()
    model = state.apps.get_model("notes", "note")
    apply(group_operations([release("c"), constrain("d")]), state)
    assert state.apps.get_model("notes", "note") is model
    apply(group_operations([release("d"), add("body")]), state)
    assert state.apps.get_model("notes", "note") is not model


def test_grouping_again_changes_nothing():
    groups = group_operations([add("a"), add("b"), OTHER, constrain("c")])
    assert [type(each) for each in groups] == [OperationGroup, migrations.RunSQL, OperationGroup]
    assert group_operations(groups) == groups
