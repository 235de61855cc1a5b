#!/usr/bin/env bash
# numpy.unwrap and an angle that is not finite.
#
# The guess: numpy.unwrap passes over a NaN, and unwraps the angles behind it as if it were not there.
# The behaviour (numpy 1.26.4 and 2.2.6): every angle behind the first NaN or infinity becomes NaN, since the
# corrections are summed up. There is at most a warning.
# For our users: drivers say NaN for a joint that they cannot measure at the moment, often in the first messages. One of
# them would erase the rest of a recording. astra_ros unwraps the finite angles among themselves (robot/turns.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/unwrap.py" <<'PY'
import sys
import warnings

import numpy as np

warnings.simplefilter("ignore")
true = np.arange(2.5, 6.5, 0.5)                     # turns evenly across pi
angles = (true + np.pi) % (2 * np.pi) - np.pi
whole = np.unwrap(angles)
print("numpy", np.__version__, "unwraps", angles.round(2).tolist(), "to", whole.round(2).tolist())
as_guessed = not np.allclose(whole, true)
for bad in (np.nan, np.inf):
    angles[2] = bad
    found = np.unwrap(angles)
    print("with", bad, "in third place:", found.round(2).tolist())
    as_guessed |= not (np.allclose(found[:2], true[:2]) and np.isnan(found[3:]).all())
sys.exit(as_guessed)
PY
for version in 1.26.4 2.2.6; do
    python3 -m venv "$folder/venv$version"
    "$folder/venv$version/bin/pip" install --quiet --disable-pip-version-check "numpy==$version"
    "$folder/venv$version/bin/python" "$folder/unwrap.py"
done
