"""Headers that every answer of Django carries, unless its view chose otherwise."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase
from django.utils.cache import patch_vary_headers

ALWAYS = {
    # Pages show people's calls: no copy on disk, and Back never shows a bare fragment.
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
}


def careful_headers(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Add the headers; a page and its parts share addresses, so answers vary by HX-Request."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        for name, value in ALWAYS.items():
            response.headers.setdefault(name, value)
        patch_vary_headers(response, ["HX-Request"])
        return response

    return middleware
