"""Server folders: each tenant has one below the folder that the operator sets, named by the tenant's ID."""

from pathlib import Path
from uuid import UUID

from django.conf import settings

from knowledge.connectors.base import ConnectorError
from knowledge.connectors.configs import NO_ROOT


def resolve_folder(tenant_id: UUID, path: str) -> Path:
    """Return a folder of the tenant.

    Raises:
        ConnectorError: The operator sets no root, or the folder does not exist or is outside the tenant's folder.
    """
    if not settings.CONNECTORS_ROOT:
        raise ConnectorError(f"{NO_ROOT}.")
    root = Path(settings.CONNECTORS_ROOT).resolve() / str(tenant_id)
    folder = (root / path).resolve()
    # Symbolic links may lead elsewhere, so the resolved path is compared.
    if not folder.is_relative_to(root) or not folder.is_dir():
        raise ConnectorError("The folder does not exist below the server folder of the organisation.")
    return folder
