"""A recorded conversation with everything on it, made through the desk and the simulator.

Two recordings of one call; in the first a text is spoken, a sound played, a key pressed, the agent
held, and the recording paused. Takes as long as people would.
"""

import time
import uuid

from tests.desk import until


class Story:
    """The call of one story; `recordings` are the ids of its files once they are stored."""

    def __init__(self, desk, *, number="+13125550142"):
        self.desk = desk
        self.session = desk.session("sam")
        self.call = desk.lever("POST", "calls", {"from": number, "to": "+18005550100"})
        self.pk = until(self._pk, within_s=10, what="the call")
        self.recordings = []

    def _pk(self):
        found = self.desk.rows(
            "SELECT id FROM calls_call WHERE call_leg_id = ? AND line = 'bridged'",
            self.call["call_leg_id"],
        )
        return str(uuid.UUID(found[0][0])) if found else None

    def press(self, kind, **params):
        """Give a command as the page's form does; wait until Telnyx has taken it."""
        answer = self.session.post(
            f"{self.desk.web}/calls/{self.pk}/commands/{kind}/",
            data={**params, "request_id": str(uuid.uuid4())},
            headers={"X-CSRFToken": self.session.cookies["csrftoken"], "Referer": self.desk.web},
            timeout=10,
        )
        assert answer.ok, answer.text[:2000]
        until(lambda: self._state(kind) in ("accepted", "confirmed"), within_s=10, what=kind)

    def _state(self, kind):
        return self.desk.rows(
            "SELECT state FROM calls_command WHERE kind = ? AND call_id = ?"
            " ORDER BY requested_at DESC LIMIT 1",
            kind,
            uuid.UUID(self.pk).hex,
        )[0][0]

    def say(self, text, party="customer", wait=True):
        path = f"calls/{self.call['call_control_id']}/say"
        spoken = self.desk.lever("POST", path, {"party": party, "text": text})
        if wait:
            time.sleep(spoken["duration_ms"] / 1000 + 0.2)  # speech takes its time

    def lever(self, what, leg=None, **body):
        leg = leg or self.call
        self.desk.lever("POST", f"calls/{leg['call_control_id']}/{what}", body)

    def stored(self, count):
        """Wait for so many files of the call; return their ids, in the order they were made."""

        def found():
            rows = self.desk.rows(
                "SELECT id FROM recordings_recording WHERE call_id = ? AND state = 'stored'"
                " ORDER BY place",
                uuid.UUID(self.pk).hex,
            )
            return [str(uuid.UUID(row[0])) for row in rows] if len(rows) == count else None

        return until(found, within_s=30, what=f"{count} stored files")


def tell(desk):
    """Live through a conversation; return its story with both files stored."""
    story = Story(desk)
    time.sleep(1.2)  # so that the recording lacks the beginning
    story.press("record_start", format="wav", channels="dual")
    story.say("Good morning, this is Dana.", "agent")
    story.say("Hello. I would like to pay my bill.")
    story.press("speak", payload="A supervisor has joined.", voice="AWS.Polly.Joanna",
                language="en-US")  # fmt: skip
    time.sleep(2.5)
    story.lever("dtmf", digits="5")
    story.press("record_pause", why="card_payment")
    story.say("The number is four four nine two.")
    story.press("record_resume")
    story.say("Thank you, that was all.")
    story.say("Both of us", "agent", wait=False)
    story.say("speak at once now.")
    time.sleep(3.5)  # silence
    story.lever("hold", story.call["agent"])
    time.sleep(1)
    story.lever("unhold", story.call["agent"])
    story.press("playback_start", media_name="hold-music")
    time.sleep(1.5)
    story.press("playback_stop", stop="all")
    story.press("record_stop")
    time.sleep(1.5)  # nobody records this
    story.press("record_start", format="wav", channels="dual")
    story.say("One more thing.")
    story.press("record_stop")
    story.press("hangup")
    story.recordings = story.stored(2)
    return story
