"""A digest of weights."""

from __future__ import annotations

import hashlib

from torch import Tensor


def digest_of(tensors: dict[str, Tensor]) -> str:
    """Sha256, in hex, of names and values, in any order."""
    digest = hashlib.sha256()
    for name, value in sorted(tensors.items()):
        digest.update(name.encode() + value.detach().cpu().numpy().tobytes())
    return digest.hexdigest()
