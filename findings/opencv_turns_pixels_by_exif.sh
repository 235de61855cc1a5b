#!/usr/bin/env bash
# Guess: all that decode one JPEG of one camera message agree on its height and width.
# Behaviour: cv2.imdecode(data, IMREAD_COLOR) turns or mirrors the pixels by the EXIF orientation, so 64 x 96 becomes
#   96 x 64 for the marks 5 to 8. cv2.imdecode(data, IMREAD_UNCHANGED) does not, and Pillow's header (Image.size) and
#   Image.open do not either. IMREAD_COLOR | IMREAD_IGNORE_ORIENTATION gives colours without turning.
# Versions: opencv-python-headless 4.13.0.92, pillow 12.0.0.
# Consequence: image_transport's subscribers decode with IMREAD_UNCHANGED by default, and camera_info describes those
#   pixels. A node or an importer that decodes with IMREAD_COLOR gets pictures that are turned against the lens, the
#   motion and what RViz shows, without an error: for the marks 2, 3 and 4 the size does not even change.
#   astra_ros decodes without turning everywhere and says that there is a mark.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" -q install opencv-python-headless==4.13.0.92 pillow==12.0.0 'numpy<2.5'
"$folder/venv/bin/python" - <<'PY'
import io
import sys

import cv2
import numpy as np
import PIL
from PIL import Image

print("OpenCV", cv2.__version__, "Pillow", PIL.__version__)
picture = np.zeros((64, 96, 3), np.uint8)
picture[:32, :48] = 255                       # bright at the top left
as_guessed = True
for turn in range(1, 9):
    exif, file = Image.Exif(), io.BytesIO()
    exif[0x0112] = turn
    Image.fromarray(picture).save(file, "jpeg", exif=exif)
    data = np.frombuffer(file.getvalue(), np.uint8)
    shown = {}
    for name, flags in (("COLOR", cv2.IMREAD_COLOR), ("UNCHANGED", cv2.IMREAD_UNCHANGED),
                        ("COLOR|IGNORE_ORIENTATION", cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)):
        pixels = cv2.imdecode(data, flags)
        shown[name] = (pixels.shape[:2], bool(pixels[5, 5, 0] > 128))
    shown["Pillow"] = (Image.open(file).size[::-1], bool(np.asarray(Image.open(file))[5, 5, 0] > 128))
    print("orientation", turn, {name: f"{h} x {w}, top left {'bright' if b else 'dark'}"
                                for name, ((h, w), b) in shown.items()})
    stays = all(shown[name] == ((64, 96), True) for name in shown if name != "COLOR")
    size, bright = shown["COLOR"]
    turned = size == ((96, 64) if turn >= 5 else (64, 96)) and bright == (turn in (1, 5))
    as_guessed &= stays and turned
sys.exit(0 if as_guessed else "OpenCV no longer turns by EXIF only with IMREAD_COLOR")
PY
