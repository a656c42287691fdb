"""Admin form to upload a document."""

from functools import wraps

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponseRedirect

from config.admin.forms import BaseModelForm
from config.api.body_limits import UPLOAD_BODY, accept_body
from knowledge.choices import CollectionStatus
from knowledge.services.documents import upload_document
from knowledge.services.files import MULTIPART_OVERHEAD, FileTooLargeError, check_name, store_file


class UploadForm(BaseModelForm):
    """Form to upload a file to a collection."""

    file = forms.FileField(help_text="A job indexes the file. The document page shows the progress.")

    def clean_file(self):
        file = self.cleaned_data["file"]
        try:
            file.name = check_name(file.name)
        except ValidationError as error:
            raise ValidationError(error.message_dict["file"]) from None
        return file

    def clean_collection(self):
        collection = self.cleaned_data["collection"]
        if collection.status == CollectionStatus.ARCHIVED:
            raise ValidationError("The collection is archived. Restore it first.", code="archived")
        return collection

    def clean(self):
        cleaned = super().clean()
        file = self.cleaned_data.get("file")
        if file is not None and not self.errors:
            try:
                self.kept = store_file(file.chunks(), tenant_id=self.instance.tenant_id, name=file.name)
            except FileTooLargeError as error:
                self.add_error("file", str(error))
            cleaned["kept"] = getattr(self, "kept", None)
        return cleaned


def limit_body_size(view):
    """Wrap `view` to reject bodies above the upload limit before reading them."""

    @accept_body(UPLOAD_BODY)
    @wraps(view)
    def bounded(request, *args, **kwargs):
        length = request.META.get("CONTENT_LENGTH") or ""
        if length.isdecimal() and int(length) > settings.UPLOAD_MAX_BYTES + MULTIPART_OVERHEAD:
            messages.error(request, str(FileTooLargeError(settings.UPLOAD_MAX_BYTES)))
            return HttpResponseRedirect(request.path)
        return view(request, *args, **kwargs)

    return bounded


def upload_from_form(obj, cleaned):
    """Upload the form's file; `obj` becomes the new or replaced document."""
    source = cleaned["file"].name
    upload = upload_document(cleaned["collection"], cleaned["kept"], source=source, title=cleaned["title"])
    obj.__dict__.update(upload.document.__dict__)
