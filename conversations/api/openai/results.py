"""Schemas of responses in OpenAI's format, for the OpenAPI document.

A test validates the responses of all operations against them.
"""

from typing import Any, Literal

from pydantic import BaseModel

from .response_schemas import FunctionTool, Text


class ListPage(BaseModel):
    object: Literal["list"]
    first_id: str | None
    last_id: str | None
    has_more: bool


class Model(BaseModel):
    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class ModelList(BaseModel):
    object: Literal["list"]
    data: list[Model]


class FunctionCall(BaseModel):
    name: str
    arguments: str


class ToolCall(BaseModel):
    id: str
    type: Literal["function"]
    function: FunctionCall


class ChatMessage(BaseModel):
    role: Literal["assistant"]
    content: str | None
    refusal: None
    tool_calls: list[ToolCall] = []


class TopLogprob(BaseModel):
    token: str
    logprob: float
    bytes: list[int] | None = None


class TokenLogprob(TopLogprob):
    top_logprobs: list[TopLogprob] = []


class ChoiceLogprobs(BaseModel):
    content: list[TokenLogprob]
    refusal: None


class Choice(BaseModel):
    index: int
    message: ChatMessage
    logprobs: ChoiceLogprobs | None
    finish_reason: Literal["stop", "length", "tool_calls", "content_filter"]


class ChatUsage(BaseModel):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class ChatCompletion(BaseModel):
    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[Choice]
    usage: ChatUsage


class FunctionDelta(BaseModel):
    arguments: str
    name: str = ""


class ToolCallDelta(BaseModel):
    """A part of a tool call; the first one has `id`, `type` and the name of the function."""

    index: int
    id: str = ""
    type: Literal["function"] = "function"
    function: FunctionDelta


class ChatDelta(BaseModel):
    role: Literal["assistant"] = "assistant"
    content: str = ""
    tool_calls: list[ToolCallDelta] = []


class ChunkChoice(BaseModel):
    index: int
    delta: ChatDelta
    logprobs: ChoiceLogprobs | None
    finish_reason: Literal["stop", "length", "tool_calls", "content_filter"] | None


class ChatCompletionChunk(BaseModel):
    """A part of a streamed chat completion; the last one has the usage if the request asks for it."""

    id: str
    object: Literal["chat.completion.chunk"]
    created: int
    model: str
    choices: list[ChunkChoice]
    usage: ChatUsage | None = None


class OutputText(BaseModel):
    type: Literal["output_text"]
    text: str
    annotations: list[dict[str, Any]]
    logprobs: list[TokenLogprob]


class OutputMessage(BaseModel):
    id: str
    type: Literal["message"]
    status: Literal["in_progress", "completed"]
    role: Literal["assistant"]
    content: list[OutputText]


class OutputFunctionCall(BaseModel):
    id: str
    type: Literal["function_call"]
    status: Literal["in_progress", "completed"]
    call_id: str
    name: str
    arguments: str


class InputTokensDetails(BaseModel):
    cached_tokens: int
    cache_write_tokens: int


class OutputTokensDetails(BaseModel):
    reasoning_tokens: int


class ResponseUsage(BaseModel):
    input_tokens: int
    input_tokens_details: InputTokensDetails
    output_tokens: int
    output_tokens_details: OutputTokensDetails
    total_tokens: int


class IncompleteDetails(BaseModel):
    reason: Literal["max_output_tokens", "content_filter"]


class Response(BaseModel):
    id: str
    object: Literal["response"]
    created_at: int
    status: Literal["completed", "incomplete"]
    error: None
    incomplete_details: IncompleteDetails | None
    instructions: str | None
    max_output_tokens: int | None
    metadata: dict[str, Any]
    model: str
    output: list[OutputMessage | OutputFunctionCall]
    parallel_tool_calls: bool
    previous_response_id: str | None
    temperature: float | None
    text: Text
    tool_choice: Literal["auto", "none", "required"]
    tools: list[FunctionTool]
    top_p: float | None
    usage: ResponseUsage


class DeletedResponse(BaseModel):
    id: str
    object: Literal["response"]
    deleted: Literal[True]


class InputText(BaseModel):
    type: Literal["input_text"]
    text: str


class InputImage(BaseModel):
    type: Literal["input_image"]
    detail: str
    image_url: str


class InputMessage(BaseModel):
    id: str
    type: Literal["message"]
    status: Literal["completed"]
    role: Literal["user", "assistant", "system"]
    content: list[InputText | OutputText | InputImage]


class InputFunctionOutput(BaseModel):
    id: str
    type: Literal["function_call_output"]
    status: Literal["completed"]
    call_id: str
    output: str


class InputItemList(ListPage):
    data: list[InputMessage | OutputFunctionCall | InputFunctionOutput]


class Embedding(BaseModel):
    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class EmbeddingUsage(BaseModel):
    prompt_tokens: int
    total_tokens: int


class EmbeddingList(BaseModel):
    object: Literal["list"]
    data: list[Embedding]
    model: str
    usage: EmbeddingUsage


class File(BaseModel):
    id: str
    object: Literal["file"]
    bytes: int
    created_at: int
    filename: str
    purpose: Literal["assistants", "user_data"]
    status: Literal["uploaded", "processed", "error"]
    status_details: str | None
    expires_at: None


class FileList(ListPage):
    data: list[File]


class DeletedFile(BaseModel):
    id: str
    object: Literal["file"]
    deleted: Literal[True]


class FileCounts(BaseModel):
    in_progress: int
    completed: int
    failed: int
    cancelled: int
    total: int


class VectorStore(BaseModel):
    id: str
    object: Literal["vector_store"]
    name: str
    status: Literal["in_progress", "completed"]
    created_at: int
    last_active_at: int
    usage_bytes: int
    file_counts: FileCounts
    metadata: dict[str, str]


class VectorStoreList(ListPage):
    data: list[VectorStore]


class DeletedVectorStore(BaseModel):
    id: str
    object: Literal["vector_store.deleted"]
    deleted: Literal[True]


class FileError(BaseModel):
    code: Literal["invalid_file"]
    message: str


class ChunkingStrategy(BaseModel):
    type: Literal["other"]


class VectorStoreFile(BaseModel):
    id: str
    object: Literal["vector_store.file"]
    created_at: int
    vector_store_id: str
    status: Literal["in_progress", "completed", "failed"]
    usage_bytes: int
    last_error: FileError | None
    attributes: dict[str, str | float | bool]
    chunking_strategy: ChunkingStrategy


class VectorStoreFileList(ListPage):
    data: list[VectorStoreFile]


class DeletedVectorStoreFile(BaseModel):
    id: str
    object: Literal["vector_store.file.deleted"]
    deleted: Literal[True]


class PassageText(BaseModel):
    type: Literal["text"]
    text: str


class Passage(BaseModel):
    file_id: str
    filename: str
    score: float
    attributes: dict[str, str]
    content: list[PassageText]


class PassagePage(BaseModel):
    object: Literal["vector_store.search_results.page"]
    search_query: list[str]
    data: list[Passage]
    has_more: Literal[False]
    next_page: None


# Schemas by route and method.
RESULTS: dict[tuple[str, str], type[BaseModel]] = {
    ("openai-models", "get"): ModelList,
    ("openai-model", "get"): Model,
    ("openai-chat", "post"): ChatCompletion,
    ("openai-responses", "post"): Response,
    ("openai-response", "get"): Response,
    ("openai-response", "delete"): DeletedResponse,
    ("openai-response-cancel", "post"): Response,
    ("openai-response-input", "get"): InputItemList,
    ("openai-embeddings", "post"): EmbeddingList,
    ("openai-files", "get"): FileList,
    ("openai-files", "post"): File,
    ("openai-file", "get"): File,
    ("openai-file", "delete"): DeletedFile,
    ("openai-vector-stores", "get"): VectorStoreList,
    ("openai-vector-stores", "post"): VectorStore,
    ("openai-vector-store", "get"): VectorStore,
    ("openai-vector-store", "post"): VectorStore,
    ("openai-vector-store", "delete"): DeletedVectorStore,
    ("openai-vector-search", "post"): PassagePage,
    ("openai-vector-files", "get"): VectorStoreFileList,
    ("openai-vector-files", "post"): VectorStoreFile,
    ("openai-vector-file", "get"): VectorStoreFile,
    ("openai-vector-file", "delete"): DeletedVectorStoreFile,
}
