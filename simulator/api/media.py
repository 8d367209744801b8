"""Named media: uploaded, listed, changed, downloaded, deleted."""

import email.parser
import email.policy

from simulator.answers import Answer, Json, refused
from simulator.api.pages import not_found, numbered, wrapped
from simulator.legs import stamp
from simulator.library import Media
from simulator.routing import Raw, Request, Result, Route
from simulator.switchboard import FETCH_LIMIT_BYTES, Switchboard

MAX_TTL_S = 630_720_000  # twenty years


def media_list(board: Switchboard, request: Request) -> Result:
    """GET /media."""
    wanted = request.query.get("filter[content_type]")
    found = [
        media
        for media in board.library.all(board.now())
        if wanted is None or media.content_type in wanted.split(",")
    ]
    return numbered(request, found, _media_row)


def upload(board: Switchboard, request: Request) -> Result:
    """POST /media: from an address, or with the file in the request."""
    fields, content = _upload(board, request)
    name = fields.get("media_name") or board.act(lambda world, now: world.new_id())
    media = board.library.store(str(name), content, board.now(), _ttl(fields))
    return Answer(201, {"data": _media_row(media)})


def media_info(board: Switchboard, request: Request) -> Result:
    """GET /media/{name}."""
    return wrapped(_media_row(_media(board, request)))


def update_media(board: Switchboard, request: Request) -> Result:
    """PUT /media/{name}: another file, or another lifetime."""
    media = _media(board, request)
    content = media.content
    if _is_multipart(request) or request.body.get("media_url"):
        fields, content = _upload(board, request)
    else:
        fields = request.body
    return wrapped(_media_row(board.library.store(media.name, content, board.now(), _ttl(fields))))


def delete_media(board: Switchboard, request: Request) -> Result:
    """DELETE /media/{name}."""
    board.library.drop(_media(board, request).name)
    return Answer(204, None)


def download_media(board: Switchboard, request: Request) -> Result:
    """GET /media/{name}/download."""
    return Raw(200, _media(board, request).content, "application/octet-stream")


def _media(board: Switchboard, request: Request) -> Media:
    media = board.library.find(request.named["media_name"], board.now())
    if media is None:
        raise not_found("media")
    return media


def _media_row(media: Media) -> Json:
    return {
        "media_name": media.name,
        "content_type": media.content_type,
        "created_at": stamp(media.created_at),
        "updated_at": stamp(media.updated_at),
        "expires_at": stamp(media.expires_at),
    }


def _ttl(fields: Json) -> int | None:
    given = fields.get("ttl_secs")
    if given is None:
        return None
    if not str(given).isdigit() or not 0 < int(given) <= MAX_TTL_S:
        detail = f"ttl_secs is {given!r}, must be a number from 1 to {MAX_TTL_S}."
        raise refused(422, "10033", detail, pointer="/ttl_secs")
    return int(given)


def _is_multipart(request: Request) -> bool:
    return request.headers.get("content-type", "").startswith("multipart/form-data")


def _upload(board: Switchboard, request: Request) -> tuple[Json, bytes]:
    """Return an upload's fields and file. Raises Refused if there is none, or too large a one."""
    if _is_multipart(request):
        fields = _parts(request)
        content = fields.pop("media", None)
        pointer = "/media"
    else:
        fields = request.body
        url = fields.get("media_url")
        content = board.fetch(url) if isinstance(url, str) else None
        pointer = "/media_url"
    if not content:
        raise refused(422, "10015", "The media file could not be read.", pointer=pointer)
    if len(content) > FETCH_LIMIT_BYTES:
        raise refused(422, "10033", "The media file is larger than 20 MB.", pointer=pointer)
    return fields, content


def _parts(request: Request) -> Json:
    """Return the parts of a multipart body; the file as bytes, the others as text."""
    head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
    parser = email.parser.BytesParser(policy=email.policy.HTTP)
    message = parser.parsebytes(head + request.content)
    found: Json = {}
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(content, bytes):
            found[name] = content if name == "media" else content.decode("utf-8", "replace")
    return found


ROUTES = [
    Route("GET", "/media", media_list),
    Route("POST", "/media", upload),
    Route("GET", "/media/{media_name}", media_info),
    Route("PUT", "/media/{media_name}", update_media),
    Route("DELETE", "/media/{media_name}", delete_media),
    Route("GET", "/media/{media_name}/download", download_media),
]
