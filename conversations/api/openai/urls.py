"""Routes under `/v1/`."""

from django.http import HttpRequest, HttpResponse
from django.urls import path, re_path
from django.views.decorators.csrf import csrf_exempt

from config.api.views import json_response
from conversations.api.anthropic.messages import CountTokensView, MessagesView

from .chat import ChatCompletionsView
from .embeddings import EmbeddingsView
from .errors import get_error_renderer
from .files import FileContentView, FilesView, FileView
from .models import ModelsView, ModelView
from .responses import ResponsesView
from .stored_responses import CancelResponseView, ResponseInputItemsView, StoredResponseView
from .vector_files import StoreFilesView, StoreFileView
from .vectors import VectorStoreSearchView, VectorStoresView, VectorStoreView


@csrf_exempt
def unknown_address(request: HttpRequest) -> HttpResponse:
    """Return 404 for an unknown URL, in the format of the client."""
    message = f"Unknown request URL: {request.method} {request.path}."
    return json_response(get_error_renderer(request)(404, "unknown_url", message, None), 404)


urlpatterns = [
    path("models", ModelsView.as_view(), name="openai-models"),
    path("models/<path:name>", ModelView.as_view(), name="openai-model"),
    path("chat/completions", ChatCompletionsView.as_view(), name="openai-chat"),
    path("responses", ResponsesView.as_view(), name="openai-responses"),
    path("responses/<str:name>", StoredResponseView.as_view(), name="openai-response"),
    path("responses/<str:name>/cancel", CancelResponseView.as_view(), name="openai-response-cancel"),
    path("responses/<str:name>/input_items", ResponseInputItemsView.as_view(), name="openai-response-input"),
    path("embeddings", EmbeddingsView.as_view(), name="openai-embeddings"),
    path("files", FilesView.as_view(), name="openai-files"),
    path("files/<str:name>", FileView.as_view(), name="openai-file"),
    path("files/<str:name>/content", FileContentView.as_view(), name="openai-file-content"),
    path("vector_stores", VectorStoresView.as_view(), name="openai-vector-stores"),
    path("vector_stores/<str:name>", VectorStoreView.as_view(), name="openai-vector-store"),
    path("vector_stores/<str:name>/search", VectorStoreSearchView.as_view(), name="openai-vector-search"),
    path("vector_stores/<str:name>/files", StoreFilesView.as_view(), name="openai-vector-files"),
    path("vector_stores/<str:name>/files/<str:file>", StoreFileView.as_view(), name="openai-vector-file"),
    path("messages", MessagesView.as_view(), name="anthropic-messages"),
    path("messages/count_tokens", CountTokensView.as_view(), name="anthropic-count-tokens"),
    re_path(r"", unknown_address),
]
