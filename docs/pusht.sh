#!/bin/sh
# Does a pushed block stay visible after a short training on recordings of an environment that is not ours? Records
# gym-pusht as rosbags, imports them, trains astra-tiny on, with and without more weight where something changes, and
# measures. Goes on where it was stopped. The published figures come from these steps, made one by one; the script as a
# whole has not been run. From the repository's root, after `make`:
#
#     python3 -m venv .venv-pusht
#     .venv-pusht/bin/pip install gym-pusht==0.1.8 'pymunk<7' rosbags==0.11.9
#     sh docs/pusht.sh [AUTOENCODER_STEPS [DYNAMICS_STEPS]]        default: 400 240
#
# Figures: docs/results/moving/pusht*.json. Their commands have the name `pushing`, which this world had before the
# simulated world `pushing` came (`astra record --worlds pushing`): another one, with which it shares nothing.
set -eu
autoencoder=${1:-400}
dynamics=${2:-240}
data=data/pusht
runs=runs/pusht-$autoencoder-$dynamics
results=docs/results/moving
PATH=$PWD/.venv/bin:$PATH

record() {  # FOLDER EPISODES FIRST_SEED
    [ -d "$data/bags/$1" ] || SDL_VIDEODRIVER=dummy .venv-pusht/bin/python docs/pusht_record.py "$data/bags/$1" "$2" \
        --first-seed "$3"
    # What a user would import, and once more with the block's place, of which the model learns nothing.
    astra import-bag "$data/bags/$1"/* --out "$data/imported/$1" --robot disc --world pusht --joints disc_x disc_y
    astra import-bag "$data/bags/$1"/* --out "$data/places/$1" --robot disc --world pusht
    [ -d "$data/$1/block" ] || python docs/pusht_label.py "$data/imported/$1" "$data/places/$1" "$data/$1/block"
}

train() {   # NAME OPTION...
    name=$1
    shift
    astra train --from tiny --data "$data/imported/train" --out "$runs/$name" --autoencoder-steps "$autoencoder" \
        --dynamics-steps "$dynamics" --dynamics-batch 4 --rollout-from 0.5 --compositor-steps 0 "$@"
}

measure() { # NAME FILE
    astra eval "$runs/$1/model" --data "$data/held_out/block" --probe-data "$data/train/block" \
        --clips-per-episode 2 --horizon 16 --out "$results/$2-block.json"
}

record train 24 1
record held_out 8 1000
train base
if [ ! -d "$runs/moved" ]; then     # the same autoencoder
    mkdir "$runs/moved"
    cp "$runs"/base/autoencoder* "$runs"/base/*.json "$runs/moved"
fi
train moved --moved-weight 4
measure base pusht
measure moved pusht-moved
