"""File storage for documents: local disk or S3-compatible object storage."""

from typing import Any

import environ

DISK = "django.core.files.storage.FileSystemStorage"
S3 = "storages.backends.s3.S3Storage"


def file_storages(env: environ.Env) -> dict[str, Any]:
    """Return Django's STORAGES setting: S3 if S3_BUCKET is set, otherwise MEDIA_ROOT.

    Credentials come from S3_ACCESS_KEY and S3_SECRET_KEY, else from boto3's default chain, such as instance roles.
    """
    static = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    bucket = env("S3_BUCKET", default="")
    if not bucket:
        # Not readable by other users of the machine.
        options: dict[str, Any] = {"file_permissions_mode": 0o600, "directory_permissions_mode": 0o700}
        return {"default": {"BACKEND": DISK, "OPTIONS": options}, "staticfiles": static}
    options = {
        "bucket_name": bucket,
        "endpoint_url": env("S3_ENDPOINT_URL", default="") or None,
        "region_name": env("S3_REGION", default="") or None,
        "access_key": env("S3_ACCESS_KEY", default="") or None,
        "secret_key": env("S3_SECRET_KEY", default="") or None,
        "location": env("S3_PREFIX", default=""),
        "default_acl": None,
        "file_overwrite": False,
        "querystring_auth": True,
    }
    return {"default": {"BACKEND": S3, "OPTIONS": options}, "staticfiles": static}
