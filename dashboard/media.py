"""Where recordings are kept, out of the environment: a folder, or s3://bucket/prefix."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from dashboard import env

FOLDER = "recordings.storage.folder.FolderStorage"
BUCKET = "recordings.storage.bucket.BucketStorage"
REGION = "us-east-1"  # S3's own default


@dataclass(frozen=True, slots=True)
class Media:
    """What the settings need to know of it."""

    root: Path  # the folder of files, or of drafts on their way to a bucket
    backend: dict[str, Any]  # as Django's STORAGES has it
    origin: str = ""  # where browsers fetch sound from, if not from the desk


def read(data: Path) -> Media:
    """Return where recordings are kept. Raises ImproperlyConfigured."""
    place = env.text("MEDIA_STORAGE", str(data / "media"))
    if not place.lower().startswith("s3://"):
        if "://" in place:
            scheme = place.partition("://")[0]
            raise ImproperlyConfigured(
                f"MEDIA_STORAGE begins with {scheme!r}; it must be a folder or s3://bucket/prefix"
            )
        return Media(Path(place), {"BACKEND": FOLDER})
    bucket, prefix = urlsplit(place).netloc, urlsplit(place).path.strip("/")
    if not bucket or "@" in bucket or ":" in bucket:
        raise ImproperlyConfigured(
            "MEDIA_STORAGE names no bucket; it must look like s3://bucket or s3://bucket/prefix"
        )
    region = env.text("AWS_REGION") or env.text("AWS_DEFAULT_REGION") or REGION
    endpoint, style, origin = _endpoint(bucket, region)
    options = {
        "bucket_name": bucket,
        "location": prefix,
        "endpoint_url": endpoint,
        "region_name": region,
        "addressing_style": style,
        "access_key": env.text("AWS_ACCESS_KEY_ID") or None,  # else as boto3 finds them
        "secret_key": env.text("AWS_SECRET_ACCESS_KEY") or None,
        "security_token": env.text("AWS_SESSION_TOKEN") or None,
    }
    return Media(data / "media", {"BACKEND": BUCKET, "OPTIONS": options}, origin)


def _endpoint(bucket: str, region: str) -> tuple[str, str, str]:
    """Return the service's address, how buckets are named in it, and whom browsers will ask."""
    address = env.url("S3_ENDPOINT_URL", "", "https", "http").rstrip("/")
    if address:
        parts = urlsplit(address)
        return address, "path", f"{parts.scheme}://{parts.netloc}"
    address = f"https://s3.{region}.amazonaws.com"
    if "." in bucket:  # a certificate covers one name below the service's
        return address, "path", address
    return address, "virtual", f"https://{bucket}.s3.{region}.amazonaws.com"
