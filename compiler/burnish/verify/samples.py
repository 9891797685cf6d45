"""Where samples were: see :mod:`burnish.samples`. Goes once nobody imports it."""

from burnish.samples import *  # noqa: F403
