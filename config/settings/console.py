"""Appearance of the console (django-unfold) and options of its exports."""

from django.templatetags.static import static

UNFOLD = {
    "SITE_TITLE": "Conclave",
    "SITE_HEADER": "Conclave",
    "SITE_SUBHEADER": "config.admin.navigation.subheader",
    "SITE_SYMBOL": "hub",
    "SITE_URL": None,
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda _: static("console/favicon.svg")}
    ],
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "ENVIRONMENT": "config.admin.navigation.environment",
    "BORDER_RADIUS": "6px",
    "COLORS": {
        "primary": {
            "50": "oklch(97.1% .013 200)",
            "100": "oklch(94.1% .03 200)",
            "200": "oklch(88.2% .059 200)",
            "300": "oklch(80.3% .095 200)",
            "400": "oklch(70.5% .115 205)",
            "500": "oklch(60.9% .112 210)",
            "600": "oklch(52% .1 215)",
            "700": "oklch(45% .085 218)",
            "800": "oklch(39.8% .07 220)",
            "900": "oklch(35.6% .058 222)",
            "950": "oklch(25.8% .045 224)",
        }
    },
    "SIDEBAR": {
        "show_search": False,
        "show_all_applications": False,
        "navigation": "config.admin.navigation.sidebar",
    },
    "ACCOUNT": {"navigation": "config.admin.navigation.account_links"},
}
ACCOUNT_FORMS = {"login": "accounts.admin.signin.SignInForm"}
FORMAT_MODULE_PATH = ["config.formats"]
