"""The command line.

python -m simulator --port 8801 --webhook-url http://127.0.0.1:8000/webhooks/telnyx --seed 1
"""

import argparse
import base64
import binascii
import logging
import os
import secrets
import signal
import sys
import threading
from pathlib import Path

from simulator.server import Server
from simulator.settings import Settings
from simulator.switchboard import Options


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Return the command line's arguments; the environment gives several defaults."""
    env = os.environ
    parser = argparse.ArgumentParser(prog="simulator", description="A stand-in for Telnyx.")
    parser.add_argument("--port", type=int, default=8801, help="0 picks a free one")
    parser.add_argument("--webhook-url", default=env.get("SIMULATOR_WEBHOOK_URL", ""))
    parser.add_argument("--seed", type=int, help="default: another one at each start")
    parser.add_argument("--quiet-world", action="store_true", help="no calls of its own accord")
    data = Path(env.get("TAPELINE_DATA", "var")) / "simulator"
    parser.add_argument("--data", type=Path, default=data, help="folder for the recordings' files")
    parser.add_argument("--signing-key-file", type=Path, help="32 bytes in Base64")
    parser.add_argument("--api-key", default=env.get("SIMULATOR_API_KEY", "KEY-simulator"))
    parser.add_argument("--pause-mode", choices=("cut", "silence"), default="cut")
    return parser.parse_args(argv)


def options(args: argparse.Namespace) -> Options:
    """Return what a stand-in needs to know. Raises SystemExit if the key file cannot be used."""
    is_quiet = args.quiet_world or os.environ.get("SIMULATOR_QUIET", "") not in ("", "0")
    return Options(
        data=args.data,
        webhook_url=args.webhook_url,
        seed=secrets.randbits(32) if args.seed is None else args.seed,
        is_quiet=is_quiet,
        api_key=args.api_key,
        signing_seed=read_key(args.signing_key_file) if args.signing_key_file else None,
        settings=Settings(pause_mode=args.pause_mode),
    )


def read_key(path: Path) -> bytes:
    """Return a signing key's 32 bytes. Raises SystemExit if the file does not hold them."""
    try:
        seed = base64.b64decode(path.read_text().strip(), validate=True)
    except (OSError, binascii.Error, ValueError) as exc:
        sys.exit(f"simulator: {path} cannot be read as Base64: {exc}")
    if len(seed) != 32:
        sys.exit(f"simulator: {path} holds {len(seed)} bytes, a signing key has 32")
    return seed


def main(argv: list[str] | None = None) -> None:
    """Serve until SIGTERM or SIGINT."""
    logging.basicConfig(format="%(name)s %(levelname)s %(message)s")
    args = arguments(argv)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    try:
        server = Server(options(args), args.port)
    except OSError as exc:
        sys.exit(f"simulator: cannot start on port {args.port} with data in {args.data}: {exc}")
    server.start()
    sys.stdout.write(f"simulator ready {server.url}\n")
    sys.stdout.flush()
    ended.wait()
    os._exit(0)  # at once: connections, retries and downloads may be half-way, and nothing is lost


if __name__ == "__main__":
    main()
