from django.apps import AppConfig


class CallsConfig(AppConfig):
    name = "calls"

    def ready(self) -> None:
        from calls import trouble  # noqa: F401  (registers the problems of the line)
        from calls.sounds import handlers  # noqa: F401  (registers what to do with the events)
