"""How the desk writes numbers, times, durations and fields; loaded in every template.

Times are shown in the site's zone, with UTC in their title; the page names the zone once.
"""

from datetime import datetime, timedelta

from django import forms, template
from django.utils import timezone
from django.utils.safestring import SafeString

from calls import clocks, contacts, fragments, numbers, telling
from calls.clocks import NOTHING, at, epoch_ms, whole_seconds

register = template.Library()
for written in (clocks.clock, clocks.ticking, clocks.left, clocks.duration, clocks.epoch_ms):
    register.filter(written)
for told in (telling.wish, telling.wishes):
    register.filter(told)

UNITS = ("kB", "MB", "GB", "TB")


@register.filter
def phone(value: str) -> str:
    """Write whose number it is, as the contacts know; else the number itself."""
    return contacts.known_as(str(value or ""))


@register.filter
def number(value: str) -> str:
    """Write a number with spaces, a SIP address short, and say when the caller withheld it."""
    return numbers.written(str(value or ""))


@register.filter
def moment(value: datetime | None) -> str:
    """Write a time; with its date unless that is today, with its year unless that is this one."""
    if not value:  # a template's missing variable is an empty text
        return NOTHING
    here, today = timezone.localtime(value), timezone.localtime()
    if here.date() == today.date():
        return at(value, "%H:%M:%S")
    return at(value, "%-d %b %H:%M" if here.year == today.year else "%-d %b %Y %H:%M")


@register.filter
def span(value: float | timedelta | None) -> str:
    """Write seconds as in a sentence: 2 min 14 s."""
    seconds = whole_seconds(value)
    if seconds is None:
        return NOTHING
    hours, minute, second = seconds // 3600, seconds // 60 % 60, seconds % 60
    parts = [f"{hours} h" * bool(hours), f"{minute} min" * bool(minute), f"{second} s"]
    return " ".join(part for part in parts if part and (part != "0 s" or seconds == 0))


@register.filter
def size(value: int | None) -> str:
    """Write a number of bytes as people do: 3.4 MB."""
    if value is None:
        return NOTHING
    if value < 1000:
        return f"{value} B"
    amount, units = value / 1000, list(UNITS)
    while amount >= 999.95 and len(units) > 1:
        amount /= 1000
        units.pop(0)
    return f"{amount:.1f} {units[0]}"


@register.simple_block_tag(takes_context=True)
def controlling(context: template.Context, content: SafeString) -> str:
    """Show a part to those who may control calls; of a row for everybody, mark it as theirs."""
    control = context.get("control")
    return fragments.only(content) if control == fragments.FOR_BOTH else content * bool(control)


@register.simple_tag
def server_ms() -> int:
    """Return our clock, by which the page corrects the browser's."""
    return epoch_ms(timezone.now())


@register.filter
def short(value: object) -> str:
    """Return the first characters of an id, enough for people to tell it from others."""
    return str(value)[:8]


@register.filter
def control(field: forms.BoundField) -> SafeString:
    """Render a field's widget with the look of the desk, tied to its help and its errors."""
    widget = field.field.widget
    look = "form-control"
    if isinstance(widget, forms.CheckboxInput):
        look = "form-check-input"
    elif isinstance(widget, forms.Select):
        look = "form-select"
    attrs: dict[str, str | bool] = {"class": f"{look} is-invalid" if field.errors else look}
    notes = [f"{field.auto_id}_help"] * bool(field.help_text)
    if field.errors:
        attrs["aria-invalid"] = "true"
        notes.insert(0, f"{field.auto_id}_errors")
    if notes:
        attrs["aria-describedby"] = " ".join(notes)
    return field.as_widget(attrs=attrs)
