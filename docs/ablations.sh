#!/bin/sh
# What is each part worth? One short training without it, and one with everything, on the same data,
# latents and number of steps; then the same evaluation of each, of what is decoded alone (no
# compositor). Goes on where it was stopped.
#
#     sh docs/ablations.sh RUN [STEPS]      RUN: a training whose autoencoder is taken, e.g. runs/tiny
#
# About half an hour each on two CPU cores with 2000 steps. Figures: docs/results/ablations/NAME.json
set -eu
run=$1
steps=${2:-2000}
train=${TRAIN:-data/train}
held_out=${HELD_OUT:-data/held_out}
results=docs/results/ablations
if [ ! -e "$run/dynamics.safetensors" ]; then
    echo "$run: its autoencoder is not finished; train first" >&2
    exit 1
fi

sha() {     # of the model that a card or a result file speaks of, its first 12 digits
    sed -n 's/.*"sha256": "\(............\).*/\1/p' "$1" | head -n 1
}

one() {
    name=$1
    shift
    out=$(dirname "$run")/ablations-$steps/$name
    mkdir -p "$out"
    [ -e "$out/autoencoder.safetensors" ] || cp "$run"/autoencoder.* "$out"
    astra train --data "$train" --out "$out" --dynamics-steps "$steps" --stage dynamics \
        --compile "$@"
    if [ ! -e "$results/$name.json" ] || [ "$(sha "$results/$name.json")" != "$(sha "$out/model/card.json")" ]
    then
        astra eval --model "$out/model" --data "$held_out" --probe-data "$train" \
            --clips-per-episode 1 --out "$results/$name.json"
    fi
}

one full
one no-drawing --without drawing
one no-reprojection --without reprojection
one no-experts --without experts
one no-moving --without moving
one no-observed --without observed
one no-residual --without residual
one no-history-noise --max-history-noise 0
one no-rollouts --rollout-from 1
one no-object-weight --object-weight 0
