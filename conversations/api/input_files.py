"""Uploaded files that messages refer to by `file_id`; the model receives their text."""

from collections.abc import Collection
from dataclasses import dataclass

from conversations.api.compat import CompatView
from conversations.api.documents import extract_file_text
from conversations.api.openai.errors import ObjectNotFoundError
from conversations.api.openai.files import get_file


@dataclass(frozen=True, slots=True)
class InputFile:
    """The name and the text of an uploaded file."""

    name: str
    text: str


class InputFileMixin(CompatView):
    """Views whose messages may refer to uploaded files of the caller."""

    def read_files(self, names: Collection[str]) -> dict[str, InputFile]:
        """Return the files by their ids. Slow; call it outside any scope.

        Raises:
            Forbidden: the role or the key does not grant reading files.
            ObjectNotFoundError: the caller has not uploaded such a file.
            CompatError: a file cannot be read, or contains no text or too much.
        """
        if not names:
            return {}
        self.require("collections", "read")
        with self.scoped(read_only=True):
            rows = {name: get_file(name, uploaded_by_id=self.credential.user_id) for name in names}
        files = {}
        for name, row in rows.items():
            try:
                files[name] = InputFile(row.filename, extract_file_text(row, self.messages_parameter))
            except FileNotFoundError:
                raise ObjectNotFoundError(f"No such File object: {name}", parameter="file_id") from None
        return files
