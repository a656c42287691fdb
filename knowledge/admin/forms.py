"""Admin forms of knowledge."""

from django.core.exceptions import ValidationError

from config.admin.forms import BaseModelForm
from knowledge.services.collections import check_model


class CollectionForm(BaseModelForm):
    """Validates the embedding model and sets its dimensions."""

    def clean_embedding_model(self):
        name = self.cleaned_data["embedding_model"]
        try:
            self.instance.dimensions = check_model(
                None if self.instance._state.adding else self._load_stored(), name
            )
        except ValidationError as error:
            raise ValidationError(error.error_dict["embedding_model"]) from None
        return name

    def _load_stored(self):
        return type(self.instance).objects.get(pk=self.instance.pk)
