from django.urls import path

from recordings.views import bulk, exports, files, library, review, saved, transcript

app_name = "recordings"
urlpatterns = [
    path("", library.library, name="list"),
    path("new", library.new, name="new"),
    path("list.csv", library.sheet, name="csv"),
    path("bulk", bulk.act, name="bulk"),
    path("views/", saved.views, name="views"),
    path("views/<int:pk>/", saved.change, name="view"),
    path("views/<int:pk>/delete", saved.delete, name="view-delete"),
    path("exports/", exports.page, name="exports"),
    path("exports/notice", exports.notice, name="export-notice"),
    path("exports/<uuid:pk>/zip", exports.download, name="export-zip"),
    path("exports/<uuid:pk>/remove", exports.remove, name="export-remove"),
    path("<uuid:pk>/", review.detail, name="detail"),
    path("<uuid:pk>/audio", files.sound, name="audio"),
    path("<uuid:pk>/peaks", files.waveform, name="peaks"),
    path("<uuid:pk>/transcript.<slug:kind>", transcript.transcript, name="transcript"),
]
