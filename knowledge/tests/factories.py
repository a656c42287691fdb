"""Factories of knowledge."""

from decimal import Decimal

import factory

from config.tenancy.scope import require_scope
from config.testing.factories import BaseFactory, member_user
from knowledge.models import (
    Chunk,
    ChunkVector384,
    ChunkVector768,
    ChunkVector1024,
    ChunkVector1536,
    ChunkVectorDraft,
    Collection,
    Connector,
    Document,
    Embedding,
    JudgedQuestion,
    LearningPattern,
    RagEvaluation,
    RagQuery,
    Term,
    TermEmbedding,
    TermRelation,
)


class CollectionFactory(BaseFactory):
    name = factory.Sequence(lambda n: f"Collection {n}")
    slug = factory.Sequence(lambda n: f"collection-{n}")

    class Meta:
        model = Collection


class DocumentFactory(BaseFactory):
    collection = factory.SubFactory(CollectionFactory)
    filename = factory.Sequence(lambda n: f"document{n}.md")
    source = factory.SelfAttribute("filename")
    storage_path = factory.Sequence(lambda n: f"tenants/none/documents/{n}.md")
    status = "indexed"

    class Meta:
        model = Document


class ConnectorFactory(BaseFactory):
    collection = factory.SubFactory(CollectionFactory)
    name = factory.Sequence(lambda n: f"Connector {n}")
    kind = "website"
    config = factory.LazyFunction(lambda: {"url": "https://example.org/"})

    class Meta:
        model = Connector


class ChunkFactory(BaseFactory):
    document = factory.SubFactory(DocumentFactory)
    collection = factory.SelfAttribute("document.collection")
    chunk_index = factory.Sequence(int)
    content = factory.Sequence(lambda n: f"Passage {n} about partitions and policies.")
    language = "en"

    class Meta:
        model = Chunk


def unit_vector(dimensions):
    """The first unit vector of that length."""
    return [1.0] + [0.0] * (dimensions - 1)


class ChunkVectorFactory(BaseFactory):
    """The vector of a new chunk; `chunk` gives the id and the collection."""

    class Meta:
        abstract = True

    @classmethod
    def _create(cls, model_class, *args, chunk=None, **kwargs):
        chunk = chunk or ChunkFactory()
        return super()._create(model_class, *args, id=chunk.pk, collection_id=chunk.collection_id, **kwargs)


class ChunkVector384Factory(ChunkVectorFactory):
    embedding = factory.LazyFunction(lambda: unit_vector(384))

    class Meta:
        model = ChunkVector384


class ChunkVector768Factory(ChunkVectorFactory):
    embedding = factory.LazyFunction(lambda: unit_vector(768))

    class Meta:
        model = ChunkVector768


class ChunkVector1024Factory(ChunkVectorFactory):
    embedding = factory.LazyFunction(lambda: unit_vector(1024))

    class Meta:
        model = ChunkVector1024


class ChunkVector1536Factory(ChunkVectorFactory):
    embedding = factory.LazyFunction(lambda: unit_vector(1536))

    class Meta:
        model = ChunkVector1536


class ChunkVectorDraftFactory(ChunkVectorFactory):
    """The next vector of a new chunk."""

    embedding_model = "lexical-hash-384"
    embedding = factory.LazyFunction(lambda: unit_vector(384))

    class Meta:
        model = ChunkVectorDraft


class RagQueryFactory(BaseFactory):
    collection = factory.SubFactory(CollectionFactory)
    user_id = factory.LazyFunction(lambda: require_scope().user_id)
    query_text = factory.Sequence(lambda n: f"What is number {n}?")
    top_score = 0.5

    class Meta:
        model = RagQuery


class EmbeddingFactory(BaseFactory):
    content = factory.Sequence(lambda n: f"Text {n} about partitions.")
    embedding = factory.LazyFunction(lambda: [1.0] + [0.0] * 383)

    class Meta:
        model = Embedding


class TermFactory(BaseFactory):
    user = factory.LazyFunction(member_user)
    term = factory.Sequence(lambda n: f"Term {n}")
    definition = "What we call a part of the landing zone."
    context = "technical"
    usage_examples = factory.LazyFunction(lambda: ["The landing zone has five parts."])
    tags = factory.LazyFunction(lambda: ["cloud"])

    class Meta:
        model = Term


class TermRelationFactory(BaseFactory):
    term = factory.SubFactory(TermFactory)
    related = factory.SubFactory(TermFactory)

    class Meta:
        model = TermRelation


class TermEmbeddingFactory(BaseFactory):
    term = factory.SubFactory(TermFactory)
    embedding = factory.LazyFunction(lambda: [1.0] + [0.0] * 1535)

    class Meta:
        model = TermEmbedding


class LearningPatternFactory(BaseFactory):
    user = factory.LazyFunction(member_user)
    pattern_type = "ai_preference"
    data = factory.LazyFunction(lambda: {"agent": "writer", "when": "drafting"})
    confidence = Decimal("0.8125")
    embedding = factory.LazyFunction(lambda: [1.0] + [0.0] * 1535)

    class Meta:
        model = LearningPattern


class RagEvaluationFactory(BaseFactory):
    name = factory.Sequence(lambda n: f"Evaluation {n}")
    collection = factory.SubFactory(CollectionFactory)
    judgements = factory.LazyFunction(lambda: {"When is high water?": {"tides.md": 1}})

    class Meta:
        model = RagEvaluation


class JudgedQuestionFactory(BaseFactory):
    collection = factory.SubFactory(CollectionFactory)
    user = factory.LazyFunction(member_user)
    question = factory.Sequence(lambda n: f"When is high water number {n}?")
    grades = factory.LazyFunction(lambda: {"tides.md": 1})

    class Meta:
        model = JudgedQuestion
