#!/bin/sh
# What is each part worth? One short training without it, and one with everything, on the same data,
# latents (those of astra-tiny) and number of steps; then the same evaluation of each, of what is
# decoded alone (no compositor). Goes on where it was stopped. From the repository's root, after `make`:
#
#     astra record --out data/train --episodes 700
#     astra record --out data/held_out --episodes 40 --first-seed 900000 --seconds 17
#     sh docs/ablations.sh [STEPS [NAME ...]]        default: 2000, all
#
# Figures: docs/results/ablations/NAME.json; all of one table must have as many steps. TRAIN, HELD_OUT and
# RUNS name other folders. 600 steps took a row 25 minutes of an AVX2 core, and its evaluation 5.
set -eu
steps=${1:-2000}
[ $# -eq 0 ] || shift
train=${TRAIN:-data/train}
held_out=${HELD_OUT:-data/held_out}
runs=${RUNS:-runs/ablations}-$steps
results=docs/results/ablations
PATH=$PWD/.venv/bin:$PATH
wanted=" $* "
known=" "

sha() {     # of the model that a card or a result file speaks of, its first 12 digits
    sed -n 's/.*"sha256": "\(............\).*/\1/p' "$1" | head -n 1
}

one() {
    name=$1
    shift
    known="$known$name "
    case "$wanted" in "  " | *" $name "*) ;; *) return 0 ;; esac
    astra train --data "$train" --out "$runs/$name" --autoencoder tiny --dynamics-steps "$steps" \
        --stage dynamics --compile "$@"
    if [ ! -e "$results/$name.json" ] || [ "$(sha "$results/$name.json")" != "$(sha "$runs/$name/model/card.json")" ]
    then
        astra eval --model "$runs/$name/model" --data "$held_out" --no-probe --clips-per-episode 1 \
            --out "$results/$name.json"
    fi
}

one full
one full-again --seed 1       # how much of a difference is chance
one no-drawing --without drawing
one no-reprojection --without reprojection
one no-experts --without experts
one no-moving --without moving
one no-observed --without observed
one no-residual --without residual
one no-history-noise --max-history-noise 0
one no-rollouts --rollout-from 1
one no-object-weight --object-weight 0

for name in $wanted; do
    case "$known" in *" $name "*) ;; *) echo "$name: no such row; there are$known" >&2; exit 1 ;; esac
done
