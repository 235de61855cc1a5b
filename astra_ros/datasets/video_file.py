"""Frames as a video file and back: H.264, lossless or almost lossless."""

from __future__ import annotations

import io
from fractions import Fraction

import numpy as np

from astra_ros.datasets.episode import DatasetError

# Constant rate factor of x264: 0 keeps every bit (RGB), 10 halves the size at about 46 dB (4:4:4).
LOSSLESS = 0


def encode_video(frames: np.ndarray, dt_s: float, crf: int = LOSSLESS) -> bytes:
    """`frames` uint8 [N, h, w, 3] RGB, h and w even, `dt_s` seconds apart, as an MP4."""
    import av

    rows, columns = frames.shape[1:3]
    lossless = crf == LOSSLESS
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as file:
        rate = Fraction(1 / dt_s).limit_denominator(1000)
        stream = file.add_stream("libx264rgb" if lossless else "libx264", rate=rate)
        stream.width, stream.height = columns, rows
        # 4:4:4, since halving the colours' resolution costs 13 dB on images of 64 pixels.
        stream.pix_fmt = "rgb24" if lossless else "yuv444p"
        stream.options = {"qp": "0"} if lossless else {"crf": str(crf)}
        # Threads for each small file cost more than they save, and workers run side by side.
        stream.codec_context.thread_count = 1
        for frame in frames:
            image = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
            file.mux(stream.encode(image))
        file.mux(stream.encode())
    return buffer.getvalue()


def decode_video(data: bytes, name: str) -> np.ndarray:
    """uint8 [N, h, w, 3] RGB. Raises DatasetError, with `name`, where the data are not a whole video."""
    import av

    try:
        with av.open(io.BytesIO(data), format="mp4") as file:
            stream = file.streams.video[0]
            stream.codec_context.thread_count = 1
            frames = [frame.to_ndarray(format="rgb24") for frame in file.decode(stream)]
    except (av.FFmpegError, IndexError) as error:
        raise DatasetError(f"not a readable video ({error})", thing=name, cure="delete it and make it again") from error
    if not frames:
        raise DatasetError("a video without frames", thing=name, cure="delete it and make it again")
    return np.stack(frames)
