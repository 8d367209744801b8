from django.urls import include, path

from calls.pages import neighbours

NEIGHBOURS = [
    path("", neighbours.neighbours, name="list"),
    path("<int:pk>/", neighbours.change, name="change"),
    path("<int:pk>/act/", neighbours.act, name="act"),
]

urlpatterns = [
    path("neighbours/", include((NEIGHBOURS, "neighbours"))),
]
