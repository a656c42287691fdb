"""Languages of chunks, and search vectors by language. Rewrites the table of chunks, which is locked meanwhile.

Existing chunks keep the English stems that they have, until their documents are indexed again.
"""

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.contrib.postgres.search
from django.db import migrations, models

import config.db.constraints
import knowledge.fields
from knowledge.search_vectors import SEARCH_VECTORS, SEARCH_VECTORS_DROP
from knowledge.triggers import LANGUAGES, LANGUAGES_DROP

CHUNK_LANGUAGE = {'help_text': 'Language by which words are stemmed, as ISO 639-1 code. Empty: unknown.'}
LANGUAGE_LIST = {
    'base_field': models.CharField(max_length=8),
    'default': list,
    'editable': False,
    'help_text': 'Languages of the chunks. Search analyses questions in each of them.',
    'size': None,
}
VECTOR = {'db_persist': True, 'help_text': 'Full-text search vector.', 'output_field': django.contrib.postgres.search.SearchVectorField()}


class Migration(migrations.Migration):

    dependencies = [
        ('knowledge', '0010_learning'),
        ('tenants', '0021_workflow_retention'),
    ]

    operations = [
        migrations.RunSQL(SEARCH_VECTORS, SEARCH_VECTORS_DROP),
        migrations.RemoveConstraint(
            model_name='collection',
            name='knowledge_collection_audit',
        ),
        migrations.AddField(
            model_name='collection',
            name='language',
            field=knowledge.fields.LanguageField(help_text='Language of all documents, as ISO 639-1 code. Empty: detected for each document.'),
        ),
        migrations.AddField(
            model_name='collection',
            name='languages',
            field=django.contrib.postgres.fields.ArrayField(db_default=['en'], **LANGUAGE_LIST),
        ),
        migrations.AlterField(
            model_name='collection',
            name='languages',
            field=django.contrib.postgres.fields.ArrayField(db_default=[], **LANGUAGE_LIST),
        ),
        migrations.AddConstraint(
            model_name='collection',
            constraint=config.db.constraints.AuditTrigger(label='knowledge.collection', name='knowledge_collection_audit', omit=('document_count', 'chunk_count', 'languages')),
        ),
        migrations.AddField(
            model_name='document',
            name='language',
            field=knowledge.fields.LanguageField(editable=False, help_text='Main language as ISO 639-1 code. Empty: unknown.'),
        ),
        migrations.AddField(
            model_name='chunk',
            name='language',
            field=knowledge.fields.LanguageField(db_default='en', **CHUNK_LANGUAGE),
        ),
        migrations.AlterField(
            model_name='chunk',
            name='language',
            field=knowledge.fields.LanguageField(**CHUNK_LANGUAGE),
        ),
        migrations.RemoveIndex(
            model_name='chunk',
            name='knowledge_chunk_search',
        ),
        migrations.RemoveField(
            model_name='chunk',
            name='search',
        ),
        migrations.AddField(
            model_name='chunk',
            name='search',
            field=models.GeneratedField(expression=models.Func('language', 'context', 'content', function='knowledge_search_vector'), **VECTOR),
        ),
        migrations.AddIndex(
            model_name='chunk',
            index=django.contrib.postgres.indexes.GinIndex(fields=['search'], name='knowledge_chunk_search'),
        ),
        migrations.RunSQL(LANGUAGES, LANGUAGES_DROP),
    ]
