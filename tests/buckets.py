"""S3 on loopback: moto's server over real HTTP, with faults that a test turns on."""

import logging
import threading
import uuid
from contextlib import contextmanager

import pytest

from dashboard.media import BUCKET, FOLDER

PREFIX = "calls/kept"
KEYS = {"aws_access_key_id": "nobody", "aws_secret_access_key": "no secret"}


class Faulty:
    """A WSGI application that goes wrong as it is told: `fault(environ, app, start)`, or None."""

    def __init__(self, app):
        self.app, self.fault, self.asked = app, None, []
        self.lock = threading.Lock()

    def __call__(self, environ, start_response):
        with self.lock:
            self.asked.append((environ["REQUEST_METHOD"], environ["PATH_INFO"]))
        if self.fault:
            answer = self.fault(environ, start_response)
            if answer is not None:
                return answer
        return self.app(environ, start_response)


def slow_down(environ, start_response):
    """Answer 503, as S3 does when it is asked too much."""
    body = b'<?xml version="1.0"?><Error><Code>SlowDown</Code><Message>Later</Message></Error>'
    start_response("503 Slow Down", [("Content-Length", str(len(body)))])
    return [body]


class Bucket:
    """A bucket of a test's own, with the options that make a storage of it."""

    def __init__(self, server, faulty):
        host, port = server.get_host_and_port()
        self.url = f"http://{host}:{port}"
        self.faulty = faulty
        self.name = f"tapeline-{uuid.uuid4()}"
        import boto3

        self.client = boto3.client("s3", endpoint_url=self.url, region_name="us-east-1", **KEYS)
        self.client.create_bucket(Bucket=self.name)
        self.storages = {
            "default": {
                "BACKEND": BUCKET,
                "OPTIONS": {
                    "bucket_name": self.name,
                    "location": PREFIX,
                    "endpoint_url": self.url,
                    "region_name": "us-east-1",
                    "addressing_style": "path",
                    "access_key": KEYS["aws_access_key_id"],
                    "secret_key": KEYS["aws_secret_access_key"],
                    "security_token": None,
                },
            }
        }

    def names(self):
        """Return the names of what is in it, without the prefix."""
        listed = self.client.list_objects_v2(Bucket=self.name).get("Contents", [])
        return sorted(each["Key"].removeprefix(f"{PREFIX}/") for each in listed)

    def uploads(self):
        return self.client.list_multipart_uploads(Bucket=self.name).get("Uploads", [])

    def put(self, name, body):
        self.client.put_object(Bucket=self.name, Key=f"{PREFIX}/{name}", Body=body)

    @contextmanager
    def failing(self, fault=slow_down):
        """Let requests go wrong for a while."""
        self.faulty.fault = fault
        try:
            yield
        finally:
            self.faulty.fault = None


@contextmanager
def serve():
    """Run moto's server; yield it and the place for faults."""
    import moto.moto_server.threaded_moto_server as moto_server  # a second that others save

    made, kept = moto_server.DomainDispatcherApplication, []
    moto_server.DomainDispatcherApplication = lambda app: kept.append(Faulty(made(app))) or kept[0]
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    try:
        server.start()
        yield server, kept[0]
    finally:
        server.stop()
        moto_server.DomainDispatcherApplication = made


@pytest.fixture(scope="session")
def s3():
    """S3, for the whole session."""
    with serve() as running:
        yield running


@pytest.fixture
def bucket(s3):
    """An empty bucket."""
    server, faulty = s3
    faulty.fault = None
    faulty.asked.clear()
    return Bucket(server, faulty)


@pytest.fixture(params=["folder", "bucket"])
def place(request, settings, tmp_path):
    """Both places for files, one after the other; None or the bucket."""
    settings.MEDIA_ROOT = tmp_path / "media"
    if request.param == "folder":
        settings.STORAGES = settings.STORAGES | {"default": {"BACKEND": FOLDER}}
        return None
    found = request.getfixturevalue("bucket")
    settings.STORAGES = settings.STORAGES | found.storages
    return found
