"""Pictures of 16-bit numbers that use few of their bits, such as those of a 12-bit camera that are not scaled.

Nothing in a message says so, so nothing is made of it but a remark: what is stored for training must be what the node
sees from its first picture on, which cannot know how bright the brightest one will be.
"""

from __future__ import annotations

FULL = 65535
# So many pictures tell how bright they become.
LEAST = 10
# So many are looked at one after the other; then each that is this much later in the stream than the one before. Of a
# million pictures that is about 90: to look at a PNG costs as much as to decode it.
ALL_OF_FIRST = 50
LATER = 1.25
# Cameras have so many bits; who uses more has pictures that are bright enough.
BITS = (8, 10, 12, 14)
CURE = "have the driver publish 8 bits (mono8, bayer_rggb8; often called pixel format), or scale its numbers to all 16"


class SignificantBits:
    """Collects how bright pictures of 16-bit numbers are. Not thread-safe.

    Attributes:
        brightest: the greatest number of all that were looked at; None where there was none of 16 bits.
    """

    def __init__(self) -> None:
        self.brightest: int | None = None
        self._count = 0
        self._passed = 0
        self._next = 1

    def add(self, brightest: int | None) -> None:
        """The greatest number of a picture; None where it has 8 bits."""
        if brightest is not None:
            self._count += 1
            self.brightest = max(brightest, self.brightest or 0)

    def is_due(self) -> bool:
        """Whether to look at the next picture of 16 bits; to be asked once for each."""
        self._passed += 1
        if not self.is_open or self._passed < self._next:
            return False
        self._next = self._passed + 1 if self._passed < ALL_OF_FIRST else int(self._passed * LATER)
        return True

    @property
    def is_open(self) -> bool:
        """Whether more pictures can change anything."""
        return self.brightest is None or self.brightest < 2 ** BITS[-1]

    @property
    def used(self) -> int | None:
        """How many bits are used, one of ``BITS``; None where enough are, or too little is known."""
        if self.brightest is None or self._count < LEAST:
            return None
        return next((bits for bits in BITS if self.brightest < 2**bits), None)
