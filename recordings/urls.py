from django.urls import path

from recordings.views import files, library, review, transcript

app_name = "recordings"
urlpatterns = [
    path("", library.library, name="list"),
    path("<uuid:pk>/", review.detail, name="detail"),
    path("<uuid:pk>/timeline.json", review.facts, name="timeline"),
    path("<uuid:pk>/position", review.position, name="position"),
    path("<uuid:pk>/delete", review.delete, name="delete"),
    path("<uuid:pk>/audio", files.sound, name="audio"),
    path("<uuid:pk>/peaks", files.waveform, name="peaks"),
    path("<uuid:pk>/transcript.<slug:kind>", transcript.transcript, name="transcript"),
]
