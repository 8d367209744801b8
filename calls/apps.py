from django.apps import AppConfig


class CallsConfig(AppConfig):
    name = "calls"

    def ready(self) -> None:
        from django.core.signals import request_started

        from calls import (
            contacts,
            overdue,  # noqa: F401  (hears of pauses that need a person)
            trouble,  # noqa: F401  (registers the problems of the line)
        )
        from calls.sounds import handlers  # noqa: F401  (registers what to do with the events)

        request_started.connect(contacts.look_again, dispatch_uid="contacts")
