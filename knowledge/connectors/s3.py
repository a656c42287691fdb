"""Objects of an S3 bucket. A version is the entity tag.

Requests are signed here and sent by the guarded client, which connects only to allowed addresses.
"""

from collections.abc import Iterator
from http import HTTPStatus
from pathlib import PurePosixPath
from urllib.parse import quote, unquote, urlencode

from django.conf import settings

from config.http.session import Download, DownloadRequest, DownloadSession
from knowledge.connectors.base import (
    TIME_IS_OVER,
    ConnectorError,
    SourceItem,
    SyncContext,
    iter_blocks,
)
from knowledge.connectors.configs import MAX_ITEMS, S3Config
from knowledge.connectors.xml import find_text, get_name, parse_xml
from knowledge.parsing import is_supported_name

SECONDS = 120
PAGE_SIZE = 1000
MAX_LISTING_BYTES = 20 * 1024 * 1024


class S3Source:
    """Supported objects below a prefix."""

    follows_deletions = True

    def __init__(
        self, config: S3Config, context: SyncContext, session: DownloadSession, credentials: dict[str, str]
    ) -> None:
        self.config, self.context, self.session, self._credentials = config, context, session, credentials
        self.notice = ""

    def list_items(self) -> Iterator[SourceItem]:
        token, count = "", 0
        while True:
            keys, token = self._list_page(token)
            for key, etag, size in keys:
                if not size or not is_supported_name(PurePosixPath(key).name):
                    continue
                count += 1
                if count > MAX_ITEMS or self.context.is_over():
                    self.notice = TIME_IS_OVER if count <= MAX_ITEMS else "The bucket has too many objects."
                    return
                error = "The file is too large." if size > settings.UPLOAD_MAX_BYTES else ""
                source = f"s3://{self.config.bucket}/{key}"
                yield SourceItem(source, etag, PurePosixPath(key).name, handle=key, error=error)
            if not token:
                return

    def open_item(self, item: SourceItem) -> Iterator[bytes]:
        page = self._request(f"/{quote(item.handle, safe='/~')}", settings.UPLOAD_MAX_BYTES)
        if page.body is None:
            raise ConnectorError(f"The service responded with status {page.status}.")
        return iter_blocks(page.body)

    def _list_page(self, token: str) -> tuple[list[tuple[str, str, int]], str]:
        """Return key, entity tag and size of up to 1,000 objects, and the token of the next page.

        Raises:
            ConnectorError: The service refuses, or the response is not a listing.
        """
        query = {
            "encoding-type": "url",
            "list-type": "2",
            "max-keys": str(PAGE_SIZE),
            "prefix": self.config.prefix,
        }
        if token:
            query["continuation-token"] = token
        page = self._request(
            f"?{urlencode(sorted(query.items()), quote_via=quote, safe='~')}", MAX_LISTING_BYTES
        )
        if page.status != HTTPStatus.OK or page.body is None:
            raise ConnectorError(
                f"The bucket cannot be listed: the service responded with status {page.status}."
            )
        with page.body:
            root = parse_xml(page.body, max_bytes=MAX_LISTING_BYTES)
        if get_name(root) != "ListBucketResult":
            raise ConnectorError("The response of the service is not a listing of a bucket.")
        read = unquote if find_text(root, "EncodingType") == "url" else str
        try:
            keys = [
                (
                    read(find_text(each, "Key")),
                    find_text(each, "ETag").strip('"')[:200],
                    int(find_text(each, "Size")),
                )
                for each in root
                if get_name(each) == "Contents"
            ]
        except ValueError as error:
            raise ConnectorError("The response of the service is not a listing of a bucket.") from error
        return keys, find_text(root, "NextContinuationToken")[:4096]

    def _request(self, path: str, max_bytes: int) -> Download:
        url = f"{self.config.endpoint.rstrip('/')}/{self.config.bucket}{path}"
        headers = self._sign(url)
        return self.session.download(DownloadRequest(url, max_bytes, seconds=SECONDS, credentials=headers))

    def _sign(self, url: str) -> dict[str, str]:
        """Return the headers that sign a request (Signature Version 4); none without credentials."""
        if not self._credentials:
            return {}
        from botocore.auth import S3SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials

        keys = Credentials(self._credentials["access_key"], self._credentials["secret_key"])
        request = AWSRequest("GET", url)
        S3SigV4Auth(keys, "s3", self.config.region).add_auth(request)
        return dict(request.headers.items())
