#!/usr/bin/env bash
# Guess: cv2.imdecode returns None for a JPEG whose coded data end before the picture does; at least so since OpenCV
#   4.12, which returns None where the end mark is missing (4.10 filled such pictures up too).
# Behaviour: with the end mark in place, 40 % of the data missing give a picture of the full size and no error; what is
#   lost is middle grey (128, 128, 128). The only sign is a line of libjpeg on stderr.
# Versions: opencv-python-headless 4.10.0.84 and 4.13.0.92.
# Consequence: of a frame that lost a part on its way from the camera, the end mark may be there and the data not. A
#   model learns the grey, and scores it. Looking for the end mark is not enough. astra_ros decodes a picture
#   whose last pixel is exactly 128 a second time with a few bytes put before its end mark: a decoder that has all data
#   ignores them, one that lacks some takes them, and the pixels change.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for version in 4.10.0.84 4.13.0.92; do
    python3 -m venv "$folder/$version"
    "$folder/$version/bin/pip" -q install "opencv-python-headless==$version" 'numpy<2.3'
    "$folder/$version/bin/python" - <<'PY'
import sys

import cv2
import numpy as np

END = b"\xff\xd9"
picture = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 255, (240, 320, 3), np.uint8), (31, 31), 8)
data = cv2.imencode(".jpg", picture)[1].tobytes()
cut = data[: int(0.6 * len(data))]


def decode(buffer):
    return cv2.imdecode(np.frombuffer(buffer, np.uint8), cv2.IMREAD_COLOR)


without, lost = decode(cut), decode(cut + END)
print("OpenCV", cv2.__version__)
print("cut, no end mark:  ", "None" if without is None else f"a picture, last pixel {without[-1, -1]}")
print("cut, with end mark:", "None" if lost is None else f"a picture of {lost.shape}, last pixel {lost[-1, -1]}")
more, whole = decode(cut + b"\x55" * 64 + END), decode(data[:-2] + b"\x55" * 64 + END)
told = lost is not None and not np.array_equal(more, lost) and np.array_equal(whole, decode(data))
print("bytes before the end mark change the cut picture and not the whole one:", told)
grey = lost is not None and bool(np.all(lost[-40:] == 128))
sys.exit(0 if grey and told else "OpenCV no longer fills a JPEG that lost data with grey")
PY
done
