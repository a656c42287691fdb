"""Factories of lanes, events and maps."""

import factory

from config.testing.factories import BaseFactory
from workflows import models

STEP = "workflows.tests.factories.StepExecutionFactory"


class WorkflowEventFactory(BaseFactory):
    execution = factory.SubFactory("workflows.tests.factories.WorkflowExecutionFactory")
    sequence_number = factory.Sequence(lambda n: n + 1)
    kind = "step.completed"
    data = factory.LazyFunction(lambda: {"step_id": "draft", "attempt": 1})

    class Meta:
        model = models.WorkflowEvent


class WorkflowGateFactory(BaseFactory):
    class Meta:
        model = models.WorkflowGate

    @classmethod
    def _create(cls, model_class, *args, **kwargs):
        """Return the gate of the tenant, which has one."""
        return model_class.objects.first() or super()._create(model_class, *args, **kwargs)


class WorkflowLaneFactory(BaseFactory):
    # Lanes of tenants with runs have the numbers below.
    lane = factory.Sequence(lambda n: 64 + n % 32_000)

    class Meta:
        model = models.WorkflowLane


class MapStateFactory(BaseFactory):
    step = factory.SubFactory(STEP, step_id="each", kind="map")
    items = factory.LazyFunction(lambda: [1, 2])
    total = 2

    class Meta:
        model = models.MapState


class MapRangeFactory(BaseFactory):
    step = factory.SubFactory(STEP, step_id="each", kind="map")
    helper = factory.SelfAttribute("step")
    start = 0
    stop = 1

    class Meta:
        model = models.MapRange


class MapItemFactory(BaseFactory):
    step = factory.SubFactory(STEP, step_id="each", kind="map")
    position = 0
    status = "completed"
    output_data = factory.LazyFunction(lambda: {"score": 1})

    class Meta:
        model = models.MapItem
