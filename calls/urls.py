from django.urls import path, register_converter

from calls import views
from calls.models import Kind
from calls.sounds.urls import urlpatterns as sounds


class KindConverter:
    """The kinds of command that address a call; any other word is a 404."""

    regex = "|".join(kind for kind in Kind.values if kind != Kind.DIAL)

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
    path("calls/<uuid:pk>/commands/<kind:kind>/", views.command, name="command"),
    *sounds,
]
