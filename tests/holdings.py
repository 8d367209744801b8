"""Telnyx with a past: a simulator's world whose clock a test holds, behind its real HTTP API."""

import json
import threading
from datetime import timedelta

from django.utils import timezone

from simulator.server import Server
from simulator.switchboard import Options

KEY = "KEY-test"


class Past:
    """A world that began some hours ago. Nothing in it happens before `wait` lets it."""

    def __init__(self, folder, *, hours_ago=3.0, seed=1):
        self.server = Server(Options(data=folder, seed=seed, api_key=KEY))
        self.server.board.shelf.base_url = self.server.url
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        self.world = self.server.board.world
        self.now = timezone.now() - timedelta(hours=hours_ago)
        self.events, self.commands = [], []

    @property
    def url(self):
        return self.server.url

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def call(self, **numbers):
        """Return the customer's leg of an answered call."""
        given = {"from_": "+13125550101", "to": "+18005550100"} | numbers
        customer, _ = self.world.place_call(given["from_"], given["to"], self.now)
        self.wait(1)
        return customer

    def wait(self, seconds):
        """Let time pass; keep what is told meanwhile."""
        self.now += timedelta(seconds=seconds)
        self.events += self.world.advance(self.now)

    def does(self, leg, action, **body):
        """Give a command that takes effect; remember it as a desk would."""
        command_id = self.world.new_id()
        told = {"command_id": command_id} | body
        answer = self.world.command(action, leg.call_control_id, told, self.now)
        assert answer.took_effect, answer
        self.commands.append((command_id, leg, action, body, self.now))
        self.events += self.world.advance(self.now)

    def record(self, leg, seconds=3.0, **body):
        """Record a leg for a while; return the recording."""
        self.does(leg, "record_start", **({"format": "wav", "channels": "dual"} | body))
        self.wait(seconds)
        self.does(leg, "record_stop")
        self.wait(30)
        return leg.recordings[-1]

    def lose(self, recording):
        """Let Telnyx lose a recording."""
        recording.state = "deleted"

    def bodies(self, *types):
        """Return the webhooks so far, as bytes, of some types or all."""
        url = "https://desk.example.test/webhooks/telnyx"
        return [
            json.dumps(event.body(delivered_to=url)).encode()
            for event in self.events
            if not types or event.event_type in types
        ]
