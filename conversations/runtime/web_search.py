"""Web searches of agents, with the account of the user or the organisation."""

from typing import TYPE_CHECKING, Any

from asgiref.sync import sync_to_async

from agents.runtime.builtin_tools import ToolError
from agents.runtime.web_search import SearchAccount, WebSearchError, search_web
from agents.services.integrations import may_call, record_failure, record_success
from agents.services.web_search import WebSearchUnavailableError, choose_search_account
from conversations.runtime.turns import get_api_key

if TYPE_CHECKING:
    from conversations.runtime.turns import Caller


async def search_for(caller: "Caller", query: str, count: int) -> dict[str, Any]:
    """Search the web for the caller's user, and record the state of the account.

    Raises:
        ToolError: the search is not available, or failed.
    """
    account = await sync_to_async(_open_account)(caller)
    try:
        found = await search_web(account, query, count)
    except WebSearchError as error:
        await sync_to_async(_record)(caller, account, error)
        raise
    await sync_to_async(_record)(caller, account, None)
    return {"provider": account.platform, "results": found}


def _open_account(caller: "Caller") -> SearchAccount:
    with caller.scope():
        try:
            row = choose_search_account(caller.user_id)
        except WebSearchUnavailableError as error:
            raise ToolError(str(error)) from None
        if not may_call(row.pk):
            raise ToolError("The search service failed repeatedly and is paused. Try again in a moment.")
        return SearchAccount(row.pk, row.platform, row.base_url, get_api_key(row) or "")


def _record(caller: "Caller", account: SearchAccount, error: WebSearchError | None) -> None:
    with caller.scope():
        if error is None:
            record_success(account.id)
        else:
            record_failure(account.id, str(error), counts=error.counts)
