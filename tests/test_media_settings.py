# ruff: noqa: F811  (fixtures of another file)
"""MEDIA_STORAGE names a folder or a bucket; what it means for pages and browsers."""

import json
from urllib.parse import urlsplit

import pytest

from recordings.storage.bucket import BucketStorage
from tests.test_settings import python, settings_of  # noqa: F401  (fixtures)

KEYS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI"}
SHOW = """
import json, django; django.setup()
from django.conf import settings
print(json.dumps([settings.STORAGES["default"], settings.CONTENT_SECURITY_POLICY["DIRECTIVES"],
                  str(settings.MEDIA_ROOT)], default=str))
"""


@pytest.fixture
def media_of(python):
    """Return the storage, the policy and the folder that an environment makes."""

    def media_of(place, **environment):
        shown = python("-c", SHOW, MEDIA_STORAGE=place, **environment)
        assert shown.returncode == 0, shown.stderr
        return json.loads(shown.stdout)

    return media_of


@pytest.mark.parametrize(
    ("place", "environment", "origin"),
    [
        ("s3://calls-of-ours/kept", {}, "https://calls-of-ours.s3.us-east-1.amazonaws.com"),
        (
            "s3://calls-of-ours",
            {"AWS_REGION": "eu-central-1"},
            "https://calls-of-ours.s3.eu-central-1.amazonaws.com",
        ),
        (
            "s3://calls.of.ours/x",
            {"AWS_DEFAULT_REGION": "eu-west-1"},
            "https://s3.eu-west-1.amazonaws.com",
        ),
        (
            "s3://calls/a/b",
            {"S3_ENDPOINT_URL": "https://minio.example:9000/"},
            "https://minio.example:9000",
        ),
    ],
)
def test_browsers_may_load_sound_from_the_bucket_and_its_links_go_there(
    media_of, place, environment, origin
):
    backend, policy, folder = media_of(place, **KEYS, **environment)

    assert origin in policy["media-src"]
    assert origin in policy["connect-src"]
    assert origin not in policy["script-src"]
    assert folder.endswith("data/media")
    kept = BucketStorage(**backend["OPTIONS"])
    link = kept.link("ab/x.wav", lasts_s=9, content_type="audio/wav", disposition="inline")
    parts = urlsplit(link)
    assert f"{parts.scheme}://{parts.netloc}" == origin
    assert parts.path.endswith("/ab/x.wav")
    assert KEYS["AWS_SECRET_ACCESS_KEY"] not in link


def test_a_folder_leaves_the_policy_as_it_is(media_of, tmp_path):
    backend, policy, folder = media_of(str(tmp_path / "kept"))
    assert backend == {"BACKEND": "recordings.storage.folder.FolderStorage"}
    assert (policy["media-src"], folder) == (["'self'"], str(tmp_path / "kept"))


def test_the_secret_of_a_bucket_may_come_from_a_file(media_of, tmp_path):
    file = tmp_path / "secret"
    file.write_text("from a file\n")
    backend, *_ = media_of("s3://calls", AWS_SECRET_ACCESS_KEY_FILE=str(file))
    assert backend["OPTIONS"]["secret_key"] == "from a file"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("MEDIA_STORAGE", "gs://calls/kept", "MEDIA_STORAGE begins with 'gs'"),
        ("MEDIA_STORAGE", "s3://", "MEDIA_STORAGE names no bucket"),
        ("MEDIA_STORAGE", "s3://key:secret@calls", "MEDIA_STORAGE names no bucket"),
        ("S3_ENDPOINT_URL", "minio.example", "S3_ENDPOINT_URL begins with"),
    ],
)
def test_a_bad_place_stops_the_start_and_is_named(python, name, value, said):
    environment = {"MEDIA_STORAGE": "s3://calls"} | {name: value}
    started = python("manage.py", "check", **environment)
    assert started.returncode != 0
    assert said in started.stderr
    assert "key:secret" not in started.stderr
