"""Schemas of the JSON columns of agents."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from config.db import json_schema
from knowledge.schemas import MAX_EXPAND_TOKENS


class AgentConfig(BaseModel):
    """Search options in the `config` of an agent; other members are allowed.

    `expand_tokens` is the maximum number of tokens of text around each passage, and `diversity` how much passages that
    resemble better ones are avoided, from 0 to 1.
    """

    model_config = ConfigDict(extra="allow")

    expand_tokens: Annotated[int, Field(ge=0, le=MAX_EXPAND_TOKENS)] = 0
    diversity: Annotated[float, Field(ge=0, le=1)] = 0.0


class SchemaValidator(json_schema.SchemaValidator):
    """Validator of a value against a schema of this module, given by name."""
