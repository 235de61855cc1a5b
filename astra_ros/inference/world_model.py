"""A world model: a network that an engine runs, and what every engine has in common."""

from __future__ import annotations

from functools import lru_cache, partial

import numpy as np

from astra_ros.inference.card import ModelCard, ModelError
from astra_ros.inference.conditioning import Conditioning
from astra_ros.inference.engine import Engine
from astra_ros.inference.engine_failures import named_failures
from astra_ros.inference.frame_latents import FrameLatents
from astra_ros.inference.imagination import Imagination
from astra_ros.inference.plan_batches import Batches, check_memory
from astra_ros.outcomes import EVENTS
from astra_ros.world_model.noise import draw_noise
from astra_ros.world_model.rollout import (
    Array,
    Noise,
    PlanConditions,
    Sampling,
    Start,
    coarse_frames,
    concatenated,
    rollout,
)


class WorldModel:
    """Imagines: images and plans in, latents, outcomes and images out, numpy on both sides.

    Not thread safe: one thread owns it.

    Attributes:
        card: the content of the model's ``card.json``.
        backend: name of the engine, also where "auto" chose it; '' where it was not loaded by name.
        device: where it runs: 'cpu', 'cuda'.
        runs_on: what really runs it: runtime and its version, device, precision, threads.
    """

    def __init__(self, engine: Engine, card: ModelCard, backend: str = "") -> None:
        self._engine, self.card, self.device, self.backend = engine, card, engine.device, backend
        self.runs_on: str = getattr(engine, "runs_on", f"{type(engine).__name__} on {engine.device}")
        self._latents = FrameLatents(engine)
        self._plans_at_once, self._images_at_once = (Batches(what, self.runs_on) for what in ("plans", "images"))
        # Requests have one seed, as a rule, so their noise is drawn once.
        self._noise = lru_cache(maxsize=4)(partial(_noise, engine, card.latent_shape))

    def warmup(self, plans: int, horizon: int, space: str = "") -> None:
        """Imagine once at this size, so that the first real request is not the slow one.

        Args: `space` of the plans that will come; '': that of a robot whose camera moves, if there is one, which is the
        most work.
        """
        card = self.card
        space = space or next(iter([*card.moving_cameras, *card.action_spaces]))
        actions = np.zeros((plans, horizon, card.action_spaces[space].dim))
        renders = np.zeros((plans, horizon + 1, 3, *card.image_size), np.uint8) if space in card.cameras else None
        poses = np.tile(np.eye(4), (plans, horizon, 1, 1)) if space in card.moving_cameras else None
        history = np.zeros((card.history, *card.image_size, 3), np.uint8)
        self.imagine(history, Conditioning(space, actions, renders, poses))

    def encode(self, frames: np.ndarray) -> np.ndarray:
        """uint8 [N, h, w, 3] RGB -> latents float32 [N, C, h, w]. The last frames' are kept, for `imagine` too."""
        self._check_frames(frames)
        with named_failures(self.runs_on):
            return self._engine.numpy(self._latents(frames)).copy()  # the kept ones stay as they are

    def _check_frames(self, frames: np.ndarray) -> None:
        expected = (*self.card.image_size, 3)
        if frames.dtype != np.uint8 or frames.shape[1:] != expected:
            raise ValueError(
                f"frames are {frames.dtype} {frames.shape}; the model takes uint8 [N, {', '.join(map(str, expected))}]"
            )

    def decode(self, latents: np.ndarray) -> np.ndarray:
        """Latents float32 [N, C, h, w] -> uint8 [N, h, w, 3] RGB."""
        with named_failures(self.runs_on):
            decode, array = self._engine.decode, self._engine.array
            return concatenated(self._images_at_once(len(latents), lambda part: decode(array(latents[part]))), 0)

    @property
    def can_restyle(self) -> bool:
        """Whether the model has what `restyle` needs. Raises ModelError where that is there, but cannot be used."""
        return getattr(self._engine, "can_restyle", False)

    def restyle(self, frames: np.ndarray, style: np.ndarray) -> np.ndarray:
        """Frames uint8 [N, h, w, 3] RGB in the look of `style` [h, w, 3], an image of the same scene in another light
        and other colours. The look of another scene's image is a guess: it lacks surfaces of this one.

        To imagine in another look, restyle the history and imagine from there; `pictures` then takes the last
        restyled frame as the observed one. Raises ModelError where the model cannot (`astra style` trains that),
        ValueError where `style` is not one image.
        """
        if style.ndim != 3:
            raise ValueError(f"the image of a style is one of shape [h, w, 3], not {list(style.shape)}")
        if not hasattr(self._engine, "restyle"):
            raise ModelError("its backend cannot take on the look of an image", thing=f"model '{self.card.name}'")
        for each in (frames, style[None]):
            self._check_frames(each)
        with named_failures(self.runs_on):
            return self._engine.decode(self._engine.restyle(self._latents(frames), self._latents(style[None])))

    def imagine(
        self,
        history: np.ndarray,
        conditioning: Conditioning,
        *,
        seed: int = 0,
        steps: int | None = None,
        stride: int = 1,
    ) -> Imagination:
        """Imagine the K plans of `conditioning`, every frame or, at a `stride`, every so many-th and the last.

        What is imagined of a frame then stands for those that were passed over before it, too: H stays as it is.

        Args: `history` uint8 [T, h, w, 3] RGB, oldest first, `dt_s` apart; `seed` of the one noise draw that the
        plans share; `steps` denoising passes a chunk of frames, the model's own number if None. Models without
        kinematic conditioning do not look at robot renders and camera poses.

        Where memory does not hold all plans at once, they are imagined in parts, and a warning says so.

        Raises ValueError for a stride that is not among `card.network.strides`, ModelError where the engine fails,
        NotEnoughMemory where memory does not hold one plan, or what is made of all of them.
        """
        sampling = Sampling.of(self.card.network, steps, stride=stride)
        self._check(conditioning)
        self._check_frames(history)
        check_memory(self.card, conditioning.plans, conditioning.horizon)
        kept = coarse_frames(conditioning.horizon, stride)

        def some(plans: slice) -> dict[str, np.ndarray]:
            return self._rolled_out(history, conditioning.subset(plans), kept, seed, sampling)

        with named_failures(self.runs_on):
            parts = self._plans_at_once(conditioning.plans, some)
            read = {name: concatenated([part[name] for part in parts], 0) for name in parts[0]}
            latents, log_error = read.pop("latents"), read.pop("log_error")
            imagination = Imagination(
                latents,
                np.sqrt(np.exp(log_error).mean(-1)),
                {name: np.exp(-np.logaddexp(0, -each)) if name in EVENTS else each for name, each in read.items()},
            )
            return imagination if stride == 1 else imagination.spread(kept, stride)

    def _rolled_out(
        self, history: np.ndarray, conditioning: Conditioning, kept: list[int], seed: int, sampling: Sampling
    ) -> dict[str, np.ndarray]:
        """Latents, log_error and outcomes [K, H, ...] of the frames `kept`, as the network gives them."""
        engine = self._engine
        noise = self._noise(seed, len(kept), sampling.chunk)
        plans = self._conditions(history[-1], conditioning, kept)
        seen = self._latents(history)[None]
        start = Start(seen, engine.remember(seen))
        # What is read comes to numpy once, behind the last chunk: until then, the device need not be waited for.
        chunks: list[dict[str, Array]] = [
            {"latents": made.prediction, "log_error": made.log_error, **engine.outcomes(made.features)}
            for made in rollout(engine, start, plans, noise, sampling)
        ]
        known = [name for name in self.card.outcomes[conditioning.space] if name in chunks[0]]
        names = ("latents", "log_error", *known)
        return {name: engine.numpy(concatenated([chunk[name] for chunk in chunks], 2))[0] for name in names}

    def pictures(self, latents: np.ndarray, observed: np.ndarray, conditioning: Conditioning, which=...) -> np.ndarray:
        """Imagined latents as images.

        A model with a compositor lays what was really seen over what it decodes: the last `observed` frame, from
        where `camera_poses` take the camera. Of a base or a free camera whose way is not known, nothing is laid
        over. Over both goes the robot, where it is rendered.

        Args: `latents` float32 [K, H, C, h, w] of the plans of `conditioning`; `observed` uint8 [h, w, 3], the newest
        frame of the history; `which` of the plans and steps, as one indexes [K, H].

        Returns uint8 [..., h, w, 3] RGB.
        """
        self._check(conditioning)
        chosen, poses = latents[which], conditioning.camera_poses
        lead = chosen.shape[:-3]
        robot = conditioning.renders_then_and_now(which)
        chosen = chosen.reshape(-1, *chosen.shape[-3:])
        poses = None if poses is None else poses[which].reshape(-1, 4, 4)
        robot = None if robot is None else robot.reshape(-1, *robot.shape[-4:])

        def some(part: slice) -> np.ndarray:
            return self._engine.composite(
                self._engine.array(chosen[part]),
                observed,
                None if poses is None else poses[part],
                None if robot is None else robot[part],
                conditioning.space,
            )

        with named_failures(self.runs_on):
            images = concatenated(self._images_at_once(len(chosen), some), 0)
        return images.reshape(*lead, *images.shape[1:])

    def _check(self, conditioning: Conditioning) -> None:
        space, moving = conditioning.space, self.card.moving_cameras
        if space not in self.card.action_spaces:
            raise ValueError(f"unknown action space '{space}'; the model knows {sorted(self.card.action_spaces)}")
        if conditioning.camera_poses is not None and space not in moving:
            raise ValueError(
                f"camera_poses are given, but of '{space}' the model knows no moving camera; it "
                f"knows {sorted(moving) or 'none'}"
            )

    def _conditions(self, newest: np.ndarray, conditioning: Conditioning, kept: list[int]) -> PlanConditions:
        engine, every = self._engine, len(kept) == conditioning.horizon
        renders, poses = conditioning.robot_renders, conditioning.camera_poses
        tokens = reprojected = None
        if renders is not None:
            tokens = engine.robot_tokens(np.asarray(renders[None, :, 1:] if every else renders[None][:, :, kept]))
        if poses is not None:
            poses = poses if every else poses[:, np.array(kept) - 1]
            reprojected = engine.reproject(newest, poses.reshape(-1, 4, 4), conditioning.space)
        if reprojected is not None:
            reprojected = reprojected.reshape(1, conditioning.plans, len(kept), *reprojected.shape[1:])
        return PlanConditions(
            engine.array(np.arange(1, conditioning.horizon + 1, dtype=np.float32)),
            engine.condition(engine.array(conditioning.actions[None]), conditioning.space),
            tokens,
            reprojected,
        ).at(kept)


def _noise(engine: Engine, latent_shape: tuple[int, int, int], seed: int, horizon: int, chunk: int) -> Noise:
    drawn = draw_noise(seed, horizon, latent_shape, chunk)
    return Noise(engine.array(drawn.history), engine.array(drawn.samples))
