"""The Astra network, and the rollout that strings its frames together. No ROS, no simulator, no files but weights.

The network needs torch. `config`, `noise`, `rollout` and `sampler` need numpy alone, so that an engine without torch
can use them; this file imports nothing for the same reason.

Shape suffixes used throughout (after Noam Shazeer's convention): B requests (each with its own observed history), N
chunks of frames side by side for one request (one for each of the K candidate plans when imagining, those of a clip
when training), F frames of a chunk, T history frames, H imagined frames, A action numbers, L tokens of one frame, M
memory tokens, D width, C latent channels, h and w rows and columns of a latent or an image.
"""
