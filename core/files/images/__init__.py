"""Images of a data set, none of which is trusted: opened, measured, decoded and renamed.

Plugins may rely on the names that stand here.
"""

from ig4.core.files.images.decoding.picture import ImageError
from ig4.core.files.images.decoding.resizing import require_resizable

__all__ = ["ImageError", "require_resizable"]
