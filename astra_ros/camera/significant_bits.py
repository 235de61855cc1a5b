"""Images of 16-bit numbers that use few of their bits, such as unscaled images of a 12-bit camera.

Messages do not declare this, so it results in a remark alone: training must store what the node sees from its first
image on, and the node cannot know how bright later images will be.
"""

from __future__ import annotations

FULL = 65535
# So many images tell how bright they become.
LEAST = 10
# So many images are examined one after the other, then each that is this factor later in the stream than the last:
# about 90 of a million, since examining a PNG costs as much as decoding it.
ALL_OF_FIRST = 50
LATER = 1.25
# Numbers of bits of cameras. Images that use more are bright enough.
BITS = (8, 10, 12, 14)
CURE = "have the driver publish 8 bits (mono8, bayer_rggb8; often called pixel format), or scale its numbers to all 16"


class SignificantBits:
    """Collects how bright images of 16-bit numbers are. Not thread-safe."""

    def __init__(self) -> None:
        self.brightest: int | None = None  # of all images examined; None where none had 16 bits
        self._count = 0
        self._passed = 0
        self._next = 1

    def add(self, brightest: int | None) -> None:
        """Adds the greatest number of an image; None where it has 8 bits."""
        if brightest is not None:
            self._count += 1
            self.brightest = max(brightest, self.brightest or 0)

    def is_due(self) -> bool:
        """Whether to examine the next image of 16 bits. Call it once per image."""
        self._passed += 1
        if not self.is_open or self._passed < self._next:
            return False
        self._next = self._passed + 1 if self._passed < ALL_OF_FIRST else int(self._passed * LATER)
        return True

    @property
    def is_open(self) -> bool:
        """Whether more images can change the result."""
        return self.brightest is None or self.brightest < 2 ** BITS[-1]

    @property
    def used(self) -> int | None:
        """How many bits are used, one of ``BITS``; None where enough are, or too little is known."""
        if self.brightest is None or self._count < LEAST:
            return None
        return next((bits for bits in BITS if self.brightest < 2**bits), None)
