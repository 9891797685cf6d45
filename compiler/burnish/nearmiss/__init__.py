"""Near misses: where a pattern nearly stands, and what is in the way.

Nothing here runs while a model is compiled. It is asked afterwards, about a model as it stands:
which forms that a pass replaces are there in part (:mod:`burnish.nearmiss.walk`), what the pass
itself says of the place (:mod:`burnish.nearmiss.asking`), and whether a difference from the
documented form matters to the pass at all (:mod:`burnish.nearmiss.trial`).
"""

from __future__ import annotations

from burnish.nearmiss.asking import Answer, ask
from burnish.nearmiss.search import NearMiss, NearMisses, near_misses

__all__ = ["Answer", "NearMiss", "NearMisses", "ask", "near_misses"]
