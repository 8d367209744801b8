from django.urls import path

from recordings.views import files, library, missing, review, transcript

app_name = "recordings"
urlpatterns = [
    path("", library.library, name="list"),
    path("missing/", missing.missing, name="missing"),
    path("missing/ask/", missing.ask, name="ask"),
    path("missing/<uuid:pk>/look/", missing.look_again, name="look"),
    path("<uuid:pk>/", review.detail, name="detail"),
    path("<uuid:pk>/audio", files.sound, name="audio"),
    path("<uuid:pk>/peaks", files.waveform, name="peaks"),
    path("<uuid:pk>/transcript.<slug:kind>", transcript.transcript, name="transcript"),
]
