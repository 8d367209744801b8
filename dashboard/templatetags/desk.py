"""How the desk writes times, durations and numbers; loaded in every template."""

from django import template

register = template.Library()
