"""The pages of phrases, sounds and voices, and what a leg plays."""

from django.urls import path, register_converter

from calls.sounds.views import legs, media, phrases, voices


class WayConverter:
    """Up or down."""

    regex = "up|down"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(WayConverter, "way")

urlpatterns = [
    path("calls/<uuid:pk>/sounds/", legs.waiting, name="queue"),
    path("calls/<uuid:pk>/said/", legs.preview, name="said"),
    path("phrases/", phrases.index, name="phrases"),
    path("phrases/from-dialog/", phrases.from_dialog, name="phrase-save"),
    path("phrases/<uuid:pk>/", phrases.edit, name="phrase"),
    path("phrases/<uuid:pk>/delete/", phrases.delete, name="phrase-delete"),
    path("phrases/<uuid:pk>/<way:way>/", phrases.move, name="phrase-move"),
    path("media/", media.index, name="media"),
    path("media/<uuid:pk>/", media.rename, name="media-rename"),
    path("media/<uuid:pk>/delete/", media.delete, name="media-delete"),
    path("media/<uuid:pk>/retry/", media.retry, name="media-retry"),
    path("media/<uuid:pk>/sound", media.sound, name="media-sound"),
    path("voices/", voices.index, name="voices"),
    path("voices/refresh/", voices.refresh, name="voices-refresh"),
]
