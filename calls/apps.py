from django.apps import AppConfig


class CallsConfig(AppConfig):
    name = "calls"

    def ready(self) -> None:
        """Register what hears of events, pauses and problems of the line."""
        from django.core.signals import request_started

        from calls import contacts, overdue, rules, supervise, trouble  # noqa: F401
        from calls.sounds import handlers  # noqa: F401

        request_started.connect(contacts.look_again, dispatch_uid="contacts")
