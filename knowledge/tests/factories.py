"""Factories of knowledge."""

import factory

from config.testing.factories import HouseFactory
from knowledge.models import Chunk, ChunkVector384, Collection, Document, RagQuery
from tenants.scoping import require_scope


class CollectionFactory(HouseFactory):
    name = factory.Sequence(lambda n: f"Collection {n}")
    slug = factory.Sequence(lambda n: f"collection-{n}")

    class Meta:
        model = Collection


class DocumentFactory(HouseFactory):
    collection = factory.SubFactory(CollectionFactory)
    filename = factory.Sequence(lambda n: f"document{n}.md")
    source = factory.SelfAttribute("filename")
    status = "ready"

    class Meta:
        model = Document


class ChunkFactory(HouseFactory):
    document = factory.SubFactory(DocumentFactory)
    collection = factory.SelfAttribute("document.collection")
    chunk_index = factory.Sequence(int)
    content = factory.Sequence(lambda n: f"Passage {n} about partitions and policies.")

    class Meta:
        model = Chunk


class ChunkVector384Factory(HouseFactory):
    """The vector of a new chunk; `chunk` gives the id and the collection."""

    embedding = factory.LazyFunction(lambda: [1.0] + [0.0] * 383)

    class Meta:
        model = ChunkVector384

    @classmethod
    def _create(cls, model_class, *args, chunk=None, **kwargs):
        chunk = chunk or ChunkFactory()
        return super()._create(model_class, *args, id=chunk.pk, collection_id=chunk.collection_id, **kwargs)


class RagQueryFactory(HouseFactory):
    collection = factory.SubFactory(CollectionFactory)
    user_id = factory.LazyFunction(lambda: require_scope().user_id)
    query_text = factory.Sequence(lambda n: f"What is number {n}?")
    top_score = 0.5

    class Meta:
        model = RagQuery
