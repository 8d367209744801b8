"""Static files under names that hold their content, also where a script imports another."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class Statics(CompressedManifestStaticFilesStorage):  # type: ignore[misc]  # it has no types
    """WhiteNoise's storage; `import "./x.js"` names the file that is there, too."""

    support_js_module_import_aggregation = True
