from django.apps import AppConfig


class CallsConfig(AppConfig):
    name = "calls"

    def ready(self) -> None:
        """Register the problems of the line, and what to do with events."""
        from calls import rules, supervise, trouble  # noqa: F401
        from calls.sounds import handlers  # noqa: F401
