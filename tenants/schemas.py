"""Schemas of the JSON columns of tenants."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

from config.db import json_schema
from config.db.json_schema import Short

# Base64 text of an image of 48 KB. A page contains it, because the console loads no images of other servers.
MAX_LOGO_LENGTH = 64 * 1024
COLOR = r"^#[0-9a-fA-F]{6}$"
LOGO = r"^data:image/(png|jpeg|webp|gif|svg\+xml);base64,[A-Za-z0-9+/]+={0,2}$"


class Branding(BaseModel):
    """Name, colour and logo of an organisation in the console; other members are allowed."""

    model_config = ConfigDict(extra="allow")

    name: Short = ""
    primary_color: Annotated[str, StringConstraints(pattern=COLOR)] | None = None
    logo: Annotated[str, StringConstraints(pattern=LOGO, max_length=MAX_LOGO_LENGTH)] | None = None


class SchemaValidator(json_schema.SchemaValidator):
    """Validator of a value against a schema of this module, given by name."""
