#!/usr/bin/env bash
# torch's fused AdamW on a CPU, and moments in another memory format than their parameter.
#
# The guess: an optimiser pairs a parameter and its moments by index, whatever their memory format; `load_state_dict`
# brings them into one format, or the fused kernel refuses two.
# The behaviour (torch 2.13.0): `load_state_dict` keeps the format of the stored moments, and
# `torch.optim.AdamW(fused=True)` pairs values by their place in memory. A convolution's weight in channels_last and
# contiguous moments are mixed up: wrong steps, without an error or a warning. `fused=False` computes the right ones.
# For our users: files hold contiguous tensors, and the autoencoder trains in channels_last. A training that was stopped
# in that stage went on with shuffled moments. astra_ros brings them into the parameter's format
# (training/distributed.py, shard_like).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python=${PYTHON:-}
if [ -z "$python" ]; then
    python3 -m venv "$folder/venv"
    "$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy
    python=$folder/venv/bin/python
fi
cat > "$folder/fused.py" <<'PY'
import sys

import torch


def stepped(fused, moments_in):
    """A weight of zeros in channels_last after one step with stored moments, and no gradient."""
    weight = torch.nn.Parameter(torch.zeros(2, 3, 2, 2).to(memory_format=torch.channels_last))
    weight.grad = torch.zeros_like(weight)
    optimizer = torch.optim.AdamW([weight], lr=1.0, fused=fused)
    first = torch.arange(24.0).reshape(2, 3, 2, 2).to(memory_format=moments_in)
    state = {"step": torch.tensor(5.0), "exp_avg": first, "exp_avg_sq": torch.ones_like(first)}
    optimizer.load_state_dict({"state": {0: state}, "param_groups": optimizer.state_dict()["param_groups"]})
    optimizer.step()
    return weight.detach()


print("torch", torch.__version__)
differ = {}
for fused in (False, True):
    same, other = (stepped(fused, order) for order in (torch.channels_last, torch.contiguous_format))
    differ[fused] = float((same - other).abs().max())
    print(f"fused={fused}: moments in channels_last and contiguous give weights that differ by {differ[fused]:.3f}")
sys.exit(differ[True] == 0 or differ[False] != 0)
PY
"$python" "$folder/fused.py"
