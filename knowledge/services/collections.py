"""Collections: making them."""

from typing import Any

from knowledge.embedders import default_embedder
from knowledge.models import Collection


def get_or_create_collection(slug: str, **fields: Any) -> tuple[Collection, bool]:
    """The scope's collection called `slug`, made with the best embedder of this machine when there is none."""
    found = Collection.objects.filter(slug=slug).first()
    if found is not None:
        return found, False
    embedder = default_embedder()
    fields.setdefault("name", slug.replace("-", " ").capitalize())
    fields.setdefault("embedding_model", embedder.name)
    collection = Collection(slug=slug, dimensions=embedder.dimensions, **fields)
    collection.full_clean(exclude=["tenant"])
    collection.save()
    return collection, True
