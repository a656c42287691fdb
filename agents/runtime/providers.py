"""Model construction per provider and classification of provider errors.

API keys come from the integration only. Keys in the environment of this process are never sent, since tenants choose
the endpoints.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from django.conf import settings

from agents.runtime.meter import IntegrationPausedError
from agents.services.budgets import BudgetExceededError
from config.http.ssrf import guarded_client

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic
    from httpx2 import AsyncClient
    from openai import AsyncOpenAI
    from pydantic_ai.models import Model
    from pydantic_ai.providers import Provider
    from pydantic_ai.providers.google import GoogleProvider
    from pydantic_ai.settings import ModelSettings

# Seconds added for the waits between the attempts of one request.
DEADLINE_MARGIN = 5
NO_KEY = "none"

FailureKind = Literal[
    "unreachable",
    "timeout",
    "rate_limited",
    "server_error",
    "bad_response",
    "refused_request",
    "authentication",
    "budget_exceeded",
    "internal",
]
# Failures that count towards the endpoint's circuit breaker; an invalid key or a rate limit does not.
BREAKER_FAILURES = frozenset({"unreachable", "timeout", "server_error"})


class UnknownProviderError(ValueError):
    """Raised for an unknown provider name."""


@dataclass(frozen=True, slots=True)
class ProviderFailure:
    """The reason for a failed model call; `message` is user-facing, without keys, addresses or untrusted text."""

    kind: FailureKind
    message: str
    retryable: bool


def build_model(
    provider: str,
    model: str,
    *,
    base_url: str | None = None,
    api_key: str | None = None,
    timeout: float = 60,
    deadline: float | None = None,
) -> "Model":
    """Build the Pydantic AI model of a provider.

    Args:
        timeout: seconds for each of at most three attempts.
        deadline: seconds for all attempts and the whole answer; default: twice the timeout plus a margin.

    Raises:
        UnknownProviderError: if the provider is not in `PROVIDERS`.
        ValueError: if an OpenAI-compatible provider has no base URL.
    """
    if provider not in _BUILDERS:
        raise UnknownProviderError(f"unknown provider {provider!r}; choose from {', '.join(PROVIDERS)}")
    options: ModelSettings = {"request_timeout": deadline or timeout * 2 + DEADLINE_MARGIN}
    return _BUILDERS[provider](model, base_url, api_key, timeout, options)


def http_client(timeout: float) -> "AsyncClient":
    """Return a guarded client that repeats failed requests.

    Proxies from the environment are ignored, since they could give tenants access to the internal network. A proxy set
    by `settings.MODEL_PROXY` must restrict its destinations.
    """
    from agents.runtime.retries import RetryingTransport

    client = guarded_client(
        settings.MODEL_NETWORKS,
        hosts=settings.MODEL_HOSTS,
        trust_env_certificates=True,
        timeout=timeout,
        proxy=settings.MODEL_PROXY or None,
    )
    client._transport = RetryingTransport(client._transport)
    client._mounts = {where: inner and RetryingTransport(inner) for where, inner in client._mounts.items()}
    return client


def _extractive(
    model: str, base_url: str | None, api_key: str | None, timeout: float, options: "ModelSettings"
) -> "Model":
    from agents.runtime.extractive_model import ExtractiveModel

    return ExtractiveModel()


# Default base URLs of providers with an OpenAI-compatible API.
BASE_URLS = {
    "openai": "https://api.openai.com/v1",
    "ollama": "http://127.0.0.1:11434/v1",
    "xai": "https://api.x.ai/v1",
    "perplexity": "https://api.perplexity.ai",
    "cohere": "https://api.cohere.ai/compatibility/v1",
}
ANTHROPIC_BASE_URL = "https://api.anthropic.com"
GOOGLE_BASE_URL = "https://generativelanguage.googleapis.com"


def openai_client(provider: str, base_url: str | None, api_key: str | None, timeout: float) -> "AsyncOpenAI":
    """Return a client of a provider with an OpenAI-compatible API.

    Raises:
        ValueError: if neither the integration nor the defaults have a base URL.
    """
    from openai import AsyncOpenAI

    address = base_url or BASE_URLS.get(provider)
    if not address:
        raise ValueError("an OpenAI-compatible provider needs a base URL")
    return AsyncOpenAI(
        base_url=address,
        api_key=api_key or NO_KEY,
        timeout=timeout,
        max_retries=0,
        http_client=http_client(timeout),
    )


def is_openai_compatible(provider: str) -> bool:
    """Return whether the provider has an OpenAI-compatible API."""
    return provider in BASE_URLS or provider == "openai-compatible"


Builder = Callable[[str, str | None, str | None, float, "ModelSettings"], "Model"]
# OpenAI-compatible providers that support `max_completion_tokens`; the others would ignore it and answer without a
# limit.
COMPLETION_TOKENS_PROVIDERS = frozenset({"openai", "xai"})


def _openai_chat(provider: str) -> Builder:
    def build(
        model: str, base_url: str | None, api_key: str | None, timeout: float, options: "ModelSettings"
    ) -> "Model":
        from pydantic_ai.profiles.openai import OpenAIModelProfile

        from agents.runtime.client_schemas import ClientSchemaOpenAIModel

        client = openai_client(provider, base_url, api_key, timeout)
        profile = OpenAIModelProfile(
            # Without this, a stream that ends early without an error would pass as complete.
            openai_chat_streaming_requires_finish_reason=True,
            openai_chat_supports_max_completion_tokens=provider in COMPLETION_TOKENS_PROVIDERS,
        )
        library = _openai_library(provider, client)
        return ClientSchemaOpenAIModel(model, provider=library, profile=profile, settings=options)

    return build


def _openai_library(provider: str, client: "AsyncOpenAI") -> "Provider[AsyncOpenAI]":
    """Return the Pydantic AI provider, which knows the capabilities of its models."""
    from pydantic_ai.providers.ollama import OllamaProvider
    from pydantic_ai.providers.openai import OpenAIProvider
    from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider

    if provider == "openai":
        return OpenAIProvider(openai_client=client)
    if provider == "ollama":
        return OllamaProvider(openai_client=client)
    return OpenAICompatibleProvider(provider, openai_client=client)


def anthropic_client(address: str, api_key: str | None, timeout: float) -> "AsyncAnthropic":
    """Return an Anthropic client."""
    from anthropic import AsyncAnthropic

    return AsyncAnthropic(
        base_url=address,
        api_key=api_key or NO_KEY,
        timeout=timeout,
        max_retries=0,
        http_client=http_client(timeout),
    )


def _anthropic(
    model: str, base_url: str | None, api_key: str | None, timeout: float, options: "ModelSettings"
) -> "Model":
    from pydantic_ai.models.anthropic import AnthropicModel
    from pydantic_ai.providers.anthropic import AnthropicProvider

    from agents.runtime.client_schemas import with_client_schemas

    client = anthropic_client(base_url or ANTHROPIC_BASE_URL, api_key, timeout)
    provider = AnthropicProvider(anthropic_client=client)
    built: Model = with_client_schemas(AnthropicModel)(model, provider=provider, settings=options)
    return built


def google_provider(base_url: str | None, api_key: str | None, timeout: float) -> "GoogleProvider":
    """Return the Pydantic AI Google provider with a guarded HTTP client."""
    from google.genai.types import HttpRetryOptions
    from pydantic_ai.providers.google import GoogleProvider

    return GoogleProvider(
        api_key=api_key or NO_KEY,
        base_url=base_url or GOOGLE_BASE_URL,
        http_client=http_client(timeout),
        retry_options=HttpRetryOptions(attempts=1),
    )


def _google(
    model: str, base_url: str | None, api_key: str | None, timeout: float, options: "ModelSettings"
) -> "Model":
    from pydantic_ai.models.google import GoogleModel

    from agents.runtime.client_schemas import with_client_schemas

    built: Model = with_client_schemas(GoogleModel)(
        model, provider=google_provider(base_url, api_key, timeout), settings=options
    )
    return built


_BUILDERS: dict[str, Builder] = {
    "anthropic": _anthropic,
    "extractive": _extractive,
    "google": _google,
    "openai-compatible": _openai_chat("openai-compatible"),
    **{provider: _openai_chat(provider) for provider in BASE_URLS},
}
PROVIDERS = tuple(_BUILDERS)


def classify_error(error: BaseException) -> ProviderFailure:
    """Classify an exception of Pydantic AI, an SDK or HTTP, including its causes."""
    for cause in _causes(error):
        if kind := _classify(cause):
            return kind
    return _INTERNAL


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield the exception, members of groups and their causes, outermost first."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        current = waiting.pop(0)
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        waiting.extend(getattr(current, "exceptions", ()))
        waiting.append(current.__cause__ or current.__context__)


def _classify(error: BaseException) -> ProviderFailure | None:
    """Return the failure for one exception, or None if its cause may be more specific."""
    from pydantic_ai import exceptions as ai

    if isinstance(error, BudgetExceededError):
        return ProviderFailure("budget_exceeded", str(error), False)
    if isinstance(error, IntegrationPausedError):
        return _PAUSED
    named = (
        ((ai.ModelTimeoutError, ai.ModelRequestTimeout, TimeoutError), _TIMEOUT),
        ((ai.ModelQuotaExceededError,), _QUOTA),
        ((ai.ModelAuthenticationError,), _AUTHENTICATION),
        ((ai.ModelContextWindowExceededError,), _TOO_LONG),
        ((ai.ContentFilterError,), _REFUSED_CONTENT),
        ((ai.UsageLimitExceeded,), _LIMIT),
    )
    for classes, failure in named:
        if isinstance(error, classes):
            return failure
    status = _http_status(error)
    return _by_transport(error) if status is None else _by_status(status)


def status_of(error: BaseException) -> int | None:
    """Return the provider's HTTP status from the exception or its causes, if any."""
    return next((status for cause in _causes(error) if (status := _http_status(cause)) is not None), None)


def _http_status(error: BaseException) -> int | None:
    status = getattr(error, "status_code", None)
    if status is None and type(error).__module__.startswith("google.genai"):
        status = getattr(error, "code", None)
    return status if isinstance(status, int) else None


def _by_transport(error: BaseException) -> ProviderFailure | None:
    from pydantic_ai import exceptions as ai

    if isinstance(error, ai.ModelConnectionError):
        return _INCOMPLETE if error.phase == "read" else _UNREACHABLE
    if isinstance(error, ai.ModelAPIError) and "finish_reason" in error.message:
        return _INCOMPLETE
    if _is_http(error, "TimeoutException"):
        return _TIMEOUT
    if _is_http(error, "RemoteProtocolError", "ReadError"):
        return _INCOMPLETE
    if _is_http(error, "TransportError", "InvalidURL") or isinstance(error, ConnectionError):
        return _UNREACHABLE
    return _BAD_RESPONSE if isinstance(error, ai.UnexpectedModelBehavior | ValueError) else None


def _is_http(error: BaseException, *names: str) -> bool:
    """Return whether `error` has one of these class names in httpx or httpx2."""
    classes = type(error).__mro__
    return any(cls.__name__ in names and cls.__module__.startswith("httpx") for cls in classes)


def _by_status(status: int) -> ProviderFailure:
    if status == 429:
        return _RATE_LIMITED
    if status in (401, 403):
        return _AUTHENTICATION
    if status in (408, 504):
        return _TIMEOUT
    if status >= 500:
        return replace(_SERVER_ERROR, message=f"The endpoint failed with status {status}. Try again later.")
    if status == 404:
        return replace(_REFUSED, message="The model endpoint returned 404: unknown model or wrong base URL.")
    return replace(_REFUSED, message=f"The model endpoint refused the request with status {status}.")


_UNREACHABLE = ProviderFailure("unreachable", "The model endpoint is unreachable.", True)
_TIMEOUT = ProviderFailure("timeout", "The model endpoint did not answer in time.", True)
_RATE_LIMITED = ProviderFailure(
    "rate_limited", "The model endpoint is limiting requests. Try again later.", True
)
_QUOTA = ProviderFailure("rate_limited", "The quota or credit at the model provider is used up.", False)
_SERVER_ERROR = ProviderFailure("server_error", "The model endpoint failed. Try again later.", True)
_BAD_RESPONSE = ProviderFailure("bad_response", "The model endpoint returned an invalid response.", False)
_PAUSED = ProviderFailure(
    "unreachable", "The model endpoint failed repeatedly and is paused. Try again in a moment.", True
)
_INTERNAL = ProviderFailure("internal", "Internal error. See the server log for details.", False)
_INCOMPLETE = ProviderFailure(
    "bad_response", "The model endpoint ended its answer before it was complete.", True
)
_REFUSED = ProviderFailure("refused_request", "The model endpoint refused the request.", False)
_REFUSED_CONTENT = ProviderFailure(
    "refused_request", "The model provider's content filter refused this.", False
)
_TOO_LONG = ProviderFailure("refused_request", "The conversation is too long for this model.", False)
_LIMIT = ProviderFailure("refused_request", "The run reached a limit set for this agent.", False)
_AUTHENTICATION = ProviderFailure("authentication", "The model endpoint rejected the API key.", False)


def timed_out() -> ProviderFailure:
    """Return the failure of an endpoint that exceeded a deadline."""
    return _TIMEOUT
