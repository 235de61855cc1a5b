#!/bin/sh
# What is each part worth? One short training without it, and one with everything, on the same data,
# latents (those of the shipped model) and number of steps; then the same evaluation of each, of what is
# decoded alone (no compositor). Goes on where it was stopped, and leaves out what has a result already.
#
#     sh docs/ablations.sh [STEPS [NAME ...]]
#
# Figures: docs/results/ablations/NAME.json. With 800 steps about a quarter of an hour each on a CPU core.
set -eu
steps=${1:-800}
[ $# -eq 0 ] || shift
train=${TRAIN:-data/train}
held_out=${HELD_OUT:-data/held_out}
runs=${RUNS:-runs/ablations}-$steps
results=docs/results/ablations
wanted=" ${*:-all} "

one() {
    name=$1
    shift
    case "$wanted" in *" all "* | *" $name "*) ;; *) return 0 ;; esac
    [ ! -e "$results/$name.json" ] || return 0
    astra train --data "$train" --out "$runs/$name" --autoencoder tiny --dynamics-steps "$steps" \
        --stage dynamics --compile "$@"
    astra eval --model "$runs/$name/model" --data "$held_out" --no-probe --clips-per-episode 1 \
        --out "$results/$name.json"
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
