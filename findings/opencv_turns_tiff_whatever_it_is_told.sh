#!/usr/bin/env bash
# Guess: cv2.imdecode with IMREAD_UNCHANGED, or with IMREAD_IGNORE_ORIENTATION, gives a picture's pixels as they are
#   stored; it does so for JPEG.
# Behaviour: of a TIFF whose orientation tag is 2 to 8, both flags give turned or mirrored pixels, so 64 x 96 becomes
#   96 x 64 for 5 to 8. What keeps them is to set the tag to 1 in the bytes beforehand.
# Versions: opencv-python-headless 4.13.0.92, pillow 12.0.0 (the writer).
# Consequence: one camera's pictures, with the same mark, come upright against its lens as JPEG and turned against it as
#   TIFF, without an error; for 2, 3 and 4 the size does not even change. astra_ros sets the tag to 1 before it decodes.
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

FLAGS = {"UNCHANGED": cv2.IMREAD_UNCHANGED, "COLOR | IGNORE_ORIENTATION": cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION}
print("OpenCV", cv2.__version__, "Pillow", PIL.__version__)
picture = np.zeros((64, 96, 3), np.uint8)
picture[:32, :48] = 255  # bright at the top left
as_stated = True
for turn in range(1, 9):
    marks = Image.Exif()
    marks[0x0112] = turn
    for kind, how in (("jpeg", {"exif": marks}), ("tiff", {"tiffinfo": marks})):
        file = io.BytesIO()
        Image.fromarray(picture).save(file, kind, **how)
        for name, flags in FLAGS.items():
            pixels = cv2.imdecode(np.frombuffer(file.getvalue(), np.uint8), flags)
            size, bright = pixels.shape[:2], bool(pixels[5, 5, 0] > 128)
            print(f"orientation {turn}, {kind}, {name}: {size[0]} x {size[1]}, top left {'bright' if bright else 'dark'}")
            turned = kind == "tiff"
            as_stated &= size == ((96, 64) if turned and turn >= 5 else (64, 96))
            as_stated &= bright == (not turned or turn in (1, 5))
sys.exit(0 if as_stated else "OpenCV no longer turns TIFF, and TIFF alone, against these flags")
PY
