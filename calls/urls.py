from django.urls import path, register_converter

from calls import listen_pages, rule_pages, views
from calls.models import LISTEN, ROLES, Kind
from calls.sounds.urls import urlpatterns as sounds


class KindConverter:
    """The kinds of command that address a call; any other word is a 404."""

    regex = "|".join([*(kind for kind in Kind.values if kind != Kind.DIAL), LISTEN, *ROLES])

    def to_python(self, value: str) -> Kind:
        return Kind(value)

    def to_url(self, value: str) -> str:
        return str(value)


register_converter(KindConverter, "kind")

app_name = "calls"
urlpatterns = [
    path("calls/", views.dial, name="dial"),
    path("calls/<uuid:pk>/", views.detail, name="detail"),
    path("calls/<uuid:pk>/pauses/<uuid:guard_pk>/extend/", views.extend, name="extend"),
    path("calls/<uuid:pk>/commands/listen/", listen_pages.listen, name="listen"),
    path("calls/<uuid:pk>/commands/monitor/", listen_pages.switch, {"role": "monitor"}),
    path("calls/<uuid:pk>/commands/whisper/", listen_pages.switch, {"role": "whisper"}),
    path("calls/<uuid:pk>/commands/barge/", listen_pages.switch, {"role": "barge"}),
    path("calls/<uuid:pk>/commands/<kind:kind>/", views.command, name="command"),
    *sounds,
    path("phone/", listen_pages.phone, name="phone"),
    path("rules/", rule_pages.rules, name="rules"),
    path("rules/new/", rule_pages.edit, name="new_rule"),
    path("rules/<int:pk>/", rule_pages.edit, name="rule"),
    path("rules/<int:pk>/<str:what>/", rule_pages.change, name="change_rule"),
]
