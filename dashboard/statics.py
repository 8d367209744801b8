"""Static files under names that change with their content, in what modules import as well."""

from whitenoise.storage import CompressedManifestStaticFilesStorage  # type: ignore[import-untyped]

# Django's own patterns for modules also read what comments and strings of others' scripts say.
IMPORTS = (
    "*.js",
    (
        (
            r'(?m)^(?P<matched>import (?P<names>[^"\n;]+) from "(?P<url>\./[\w.-]+\.js)";)',
            'import %(names)s from "%(url)s";',
        ),
        (r'(?m)^(?P<matched>import "(?P<url>\./[\w.-]+\.js)";)', 'import "%(url)s";'),
    ),
)


class HashedFiles(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    """`import {register} from "./keys.js";` finds the hashed name: a module is loaded once."""

    patterns = (*CompressedManifestStaticFilesStorage.patterns, IMPORTS)
