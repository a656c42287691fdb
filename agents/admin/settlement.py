"""Base of the console pages of payments."""

from config.admin.bases import ReadOnlyAdmin


class SettlementAdmin(ReadOnlyAdmin):
    """Read-only page whose actions settle payments, which only the platform does."""

    def has_settle_permission(self, request):
        return request.console.is_platform and request.console.allows(self.resource, "write")
