"""The console's site."""

from unfold.sites import UnfoldAdminSite


class ConsoleSite(UnfoldAdminSite):
    """Conclave's one admin site."""

    site_title = "Conclave"
    site_header = "Conclave"
    index_title = "Overview"
