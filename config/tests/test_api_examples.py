"""Examples of request bodies in the OpenAPI document."""

import pytest
from jsonschema import Draft202012Validator

from config.api.docs import document
from config.api.examples import build_example


def request_bodies():
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
                yield f"{method} {path} {media_type}", content


def test_every_request_body_has_a_valid_example():
    components = {"components": document()["components"]}
    invalid, bodies = {}, dict(request_bodies())
    for name, content in bodies.items():
        checker = Draft202012Validator(
            components | content["schema"], format_checker=Draft202012Validator.FORMAT_CHECKER
        )
        errors = [error.message for error in checker.iter_errors(content["example"])]
        if errors or not (content["example"] or not content["schema"].get("properties")):
            invalid[name] = (errors, content["example"])

    assert len(bodies) > 150
    assert invalid == {}


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "string", "enum": ["", "daily"]}, "daily"),
        ({"type": ["string", "null"], "format": "uuid"}, "0197f3a2-5c00-7d6e-8f90-a1b2c3d4e5f6"),
        ({"type": "integer", "minimum": 5}, 5),
        ({"type": "integer", "maximum": 0}, 0),
        ({"oneOf": [{"type": "null"}, {"type": "boolean"}]}, True),
        ({"type": "array", "items": {"type": "string"}, "minItems": 2}, ["Text", "Text"]),
    ],
)
def test_value_follows_its_schema(schema, value):
    assert build_example(schema, {}) == value
