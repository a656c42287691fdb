"""Content parts with files, whose text the model receives."""

from collections.abc import Iterable, Iterator

from conversations.api.documents import extract_text, render_document
from conversations.api.input_files import InputFile, InputFileMixin
from conversations.api.wire_models import CompatError
from conversations.services.attachments import MAX_FILES

from .schemas import ContentPartParam, FileParam

TYPES = ("file", "input_file")
Contents = Iterable[str | list[ContentPartParam] | None]


class FilePartsMixin(InputFileMixin):
    """Views whose messages may have content parts with files."""

    def insert_files(self, model: str, contents: Contents) -> None:
        """Replace content parts with files by parts with their text. Slow; call it outside any scope.

        Raises:
            Forbidden: the role or the key does not grant the use of the model or reading files.
            CompatError: there are too many files, or one of them is incomplete or cannot be read.
        """
        parts = list(_iter_file_parts(contents))
        if not parts:
            return
        self.require_model(model)
        name = self.messages_parameter
        if len(parts) > MAX_FILES:
            raise CompatError(name, f"A request may contain at most {MAX_FILES} files.")
        for part in parts:
            given = part.file or part
            if (given.file_id is None) == (given.file_data is None):
                raise CompatError(name, "A file requires either `file_id` or `file_data`.")
        files = self.read_files({file_id for part in parts if (file_id := (part.file or part).file_id)})
        for part in parts:
            file = self._read_part(part.file or part, files)
            part.text = render_document(file.text, title=file.name)

    def _read_part(self, given: FileParam, files: dict[str, InputFile]) -> InputFile:
        if given.file_id is not None:
            return files[given.file_id]
        name = given.filename or "document.pdf"
        data = (given.file_data or "").rpartition(",")[2]
        return InputFile(name, extract_text(data, name, self.messages_parameter))


def _iter_file_parts(contents: Contents) -> Iterator[ContentPartParam]:
    for content in contents:
        for part in content if isinstance(content, list) else ():
            if part.type in TYPES:
                yield part
