"""Branding of a tenant in the console."""

from uuid import UUID

from pydantic import ValidationError

from tenants.models import Tenant
from tenants.schemas import Branding

WHITE, BLACK = (255, 255, 255), (0, 0, 0)
# Shade -> share of the brand's colour; lighter shades are mixed with white, darker ones with black.
SHADES = ("50", "100", "200", "300", "400", "500", "600", "700", "800", "900", "950")
SHARES = dict(zip(SHADES, (0.05, 0.1, 0.25, 0.45, 0.65, 0.85, 1, 0.85, 0.7, 0.55, 0.35), strict=True))
# Minimum for text according to WCAG 2.2, criterion 1.4.3.
MIN_CONTRAST = 4.5
Rgb = tuple[int, int, int]


def get_branding(tenant_id: UUID) -> Branding:
    """Return the branding of the tenant; members of older rows that are not valid have no effect."""
    stored = Tenant.objects.filter(pk=tenant_id).values_list("branding", flat=True).first()
    try:
        return Branding.model_validate(stored or {})
    except ValidationError:
        return Branding()


def build_palette(color: str) -> dict[str, str]:
    """Return the shades of a colour such as `#0a7d55`, dark enough for white text on shade 600."""
    base: Rgb = (int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16))
    while _contrast_to_white(base) < MIN_CONTRAST:
        base = _mix(base, BLACK, 0.95)
    return {
        shade: f"rgb({', '.join(map(str, _mix(base, WHITE if int(shade) < 600 else BLACK, share)))})"
        for shade, share in SHARES.items()
    }


def _mix(color: Rgb, other: Rgb, share: float) -> Rgb:
    red, green, blue = (
        round(share * first + (1 - share) * second) for first, second in zip(color, other, strict=True)
    )
    return red, green, blue


def _contrast_to_white(color: Rgb) -> float:
    """Return the contrast ratio of the colour to white (WCAG 2.2)."""
    parts = [
        value / 12.92 if (value := each / 255) <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for each in color
    ]
    return 1.05 / (0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2] + 0.05)
