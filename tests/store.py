"""A recording store and Telnyx's REST API on loopback, both of which do as a test tells them."""

import io
import json
import threading
import time
import wave
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

BUCKET = "/telephony-recorder-prod/"


def wav(seconds=2.0, *, channels=2, rate=8000, seed=1):
    """Return a WAV file of noise."""
    noise = np.random.default_rng(seed).normal(0, 3000, round(seconds * rate) * channels)
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(noise.astype("<i2").tobytes())
    return out.getvalue()


def spoken(seconds, *sides, rate=8000, hiss=8, seed=1):
    """Return a WAV file with a channel per side, loud in its spans [(start_s, stop_s), ...]."""
    chance = np.random.default_rng(seed)
    samples = chance.normal(0, hiss, (round(seconds * rate), len(sides)))
    for channel, spans in enumerate(sides):
        for start_s, stop_s in spans:
            part = slice(round(start_s * rate), round(stop_s * rate))
            samples[part, channel] += chance.normal(0, 4000, len(samples[part]))
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(len(sides))
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.clip(-32768, 32767).astype("<i2").tobytes())
    return out.getvalue()


def mp3(seconds=2.0, *, channels=2):
    """Return an MP3 file of noise."""
    import lameenc

    encoder = lameenc.Encoder()
    encoder.set_bit_rate(32)
    encoder.set_in_sample_rate(8000)
    encoder.set_out_sample_rate(8000)
    encoder.set_channels(channels)
    encoder.silence()
    pcm = wav(seconds, channels=channels)[44:]
    return bytes(encoder.encode(pcm) + encoder.flush())


class Store:
    """`routes` maps a path to a function of the request handler; `seen` lists what was asked."""

    def __init__(self):
        self.routes, self.seen = {}, []
        store = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                path = self.path.partition("?")[0]
                store.seen.append((path, dict(self.headers)))
                route = store.routes.get(path)
                if route is None:
                    self.send_error(404)
                else:
                    route(self)

            def do_DELETE(self):
                store.seen.append((f"DELETE {self.path}", dict(self.headers)))
                route = store.routes.get(f"DELETE {self.path}")
                if route is None:
                    self.send_error(404)
                else:
                    route(self)

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def link(self, name="file"):
        return f"{self.url}{BUCKET}{name}"

    def gets(self, name="file"):
        return [headers for path, headers in self.seen if path == BUCKET + name]

    def serve(self, answer, name="file"):
        """Answer requests for a file; return its link."""
        self.routes[BUCKET + name] = answer
        return self.link(name)

    def rest(self, path, body, status=200, *, method=""):
        """Answer requests to Telnyx's API below /v2."""
        self.routes[f"{method} /v2{path}".strip()] = lambda request: reply(
            request, json.dumps(body).encode(), status=status, content_type="application/json"
        )


def reply(request, body, *, status=200, content_type="audio/wav", length=None, **headers):
    """Send an answer; with length=False without saying how long it is."""
    request.send_response(status)
    request.send_header("Content-Type", content_type)
    if length is not False:
        request.send_header("Content-Length", str(len(body) if length is None else length))
    for name, value in headers.items():
        request.send_header(name.replace("_", "-"), value)
    request.end_headers()
    request.wfile.write(body)


def whole(body, **how):
    """Return an answer that sends a body."""
    return lambda request: reply(request, body, **how)


def drip(body, *, every_s=0.02):
    """Return an answer that sends a body byte by byte, as long as anybody listens."""

    def answer(request):
        request.send_response(200)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        try:
            for byte in body:
                request.wfile.write(bytes([byte]))
                request.wfile.flush()
                time.sleep(every_s)
        except OSError:
            pass

    return answer


def endless(block=b"\0" * 65536):
    """Return an answer without an end."""

    def answer(request):
        request.send_response(200)
        request.end_headers()
        try:
            while True:
                request.wfile.write(block)
        except OSError:
            pass

    return answer
