"""The network's functions as modules of tensors alone, which torch can export: one graph each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from astra_ros.inference.card import ModelCard
from astra_ros.inference.torch_camera import inverse_depth_camera
from astra_ros.world_model.astra import Astra
from astra_ros.world_model.config import RENDER_CHANNELS
from astra_ros.world_model.denoiser import Memory
from astra_ros.world_model.reprojection import InverseDepthCamera, encoded_views, last_seen, reproject
from astra_ros.world_model.rollout import FrameContext

# Names of sizes that are free; requests only where each plan comes to have a memory of its own.
REQUESTS, PLANS, FRAMES, ROWS = "requests", "plans", "frames", "rows"


@dataclass(frozen=True)
class Graph:
    """A module to export. Inputs are examples; of a list, parts are numbered behind its name."""

    name: str
    module: nn.Module
    inputs: dict[str, Tensor | list[Tensor]]
    outputs: tuple[str, ...]
    free: dict[str, dict[int, str]]  # input -> axis -> name of its size


def graphs_of(network: Astra, card: ModelCard) -> Iterator[Graph]:
    """All graphs of a model's network."""
    examples = _Examples(network, card)
    yield examples.encode()
    yield examples.decode()
    yield examples.remember()
    yield examples.denoise(False)
    if examples.cameras and card.network.reprojection:
        yield examples.denoise(True)
    if network.outcome_heads is not None:
        yield examples.outcomes(network.outcome_heads.names)
    if network.denoiser.robot_tokens is not None:
        yield examples.robot_tokens()
    for number, space in enumerate(card.action_spaces):
        yield examples.condition(number, space)
    yield examples.composite(None)
    for space in examples.cameras:
        if card.network.reprojection:
            yield examples.reproject(space)
        yield examples.composite(space)


class _Examples:
    """Makes the graphs, with inputs of sizes that torch does not take for fixed ones, as it does 1."""

    PLANS, FRAMES = 3, 2

    def __init__(self, network: Astra, card: ModelCard):
        self.network, self.card, config = network, card, card.network
        self.requests = 5 if config.time_attention else 1
        self.cameras = {
            name: inverse_depth_camera(camera, card.image_size) for name, camera in card.moving_cameras.items()
        }
        self.latents = torch.zeros(self.PLANS, *card.latent_shape)
        self.images = torch.zeros(self.PLANS, *card.image_size, 3, dtype=torch.uint8)
        self.poses = torch.eye(4).repeat(self.PLANS, 1, 1)

    def encode(self) -> Graph:
        return Graph("encode", _Encode(self.network), {"images": self.images}, ("latents",), {"images": {0: ROWS}})

    def decode(self) -> Graph:
        return Graph("decode", _Decode(self.network), {"latents": self.latents}, ("images",), {"latents": {0: ROWS}})

    def condition(self, number: int, space: str) -> Graph:
        actions = torch.zeros(self.PLANS, 5, self.card.action_spaces[space].dim)
        free = {"actions": {0: ROWS, 1: FRAMES}}
        return Graph(f"condition_{space}", _Condition(self.network, number), {"actions": actions}, ("condition",), free)

    def robot_tokens(self) -> Graph:
        renders = self.images.permute(0, 3, 1, 2).contiguous()
        inputs: dict[str, Tensor | list[Tensor]] = {
            "renders": renders,
            "known": torch.ones(self.PLANS, dtype=torch.bool),
        }
        free = {"renders": {0: ROWS}, "known": {0: ROWS}}
        return Graph("robot_tokens", _RobotTokens(self.network), inputs, ("tokens",), free)

    def remember(self) -> Graph:
        history = torch.zeros(self.requests, self.card.history, *self.card.latent_shape)
        blocks = range(self.card.network.num_layers)
        outputs = (*(f"keys_{k}" for k in blocks), *(f"values_{k}" for k in blocks))
        free = {"history": {0: REQUESTS}} if self.requests > 1 else {}
        return Graph("remember", _Remember(self.network), {"history": history}, outputs, free)

    def denoise(self, moving: bool) -> Graph:
        """One pass; with `moving`, the reprojected latents are given.

        The plans of a network with time attention share the latents before their chunk.
        """
        config, chunks, latent = self.card.network, (self.requests, self.PLANS, self.FRAMES), self.card.latent_shape
        memory = self.network.remember(torch.zeros(self.requests, self.card.history, *latent))
        before = torch.zeros(self.requests, 1 if config.time_attention else self.PLANS, *latent)
        inputs: dict[str, Tensor | list[Tensor]] = {
            "noisy": torch.zeros(*chunks, *latent),
            "time": torch.zeros(chunks),
            "newest": before,
            "before": before.clone(),
            "clean": before.clone(),
            "history_noise": torch.zeros(chunks[:2]),
            "age": torch.zeros(chunks),
            "condition": torch.zeros(*chunks, config.hidden_dim),
        }
        if config.drawing:
            inputs["robot_tokens"] = torch.zeros(*chunks, config.tokens_per_frame, config.hidden_dim)
        if moving:
            inputs["reprojected"] = torch.zeros(*chunks, latent[0] + 1, *latent[1:])
        free = {name: {1: PLANS, 2: FRAMES} for name in inputs} | {"history_noise": {1: PLANS}}
        free |= dict.fromkeys(("newest", "before", "clean"), {} if config.time_attention else {1: PLANS})
        inputs["observed"] = memory.observed
        inputs["keys"], inputs["values"] = map(list, zip(*memory.keys_values))
        if self.requests > 1:
            free = {name: {0: REQUESTS, **free.get(name, {})} for name in inputs}
        module = _Denoise(self.network, config.drawing, moving)
        name = "denoise_moving" if moving else "denoise"
        return Graph(name, module, inputs, ("prediction", "log_error", "features"), free)

    def outcomes(self, names: tuple[str, ...]) -> Graph:
        shape = self.PLANS, self.card.network.features_per_frame, self.card.network.hidden_dim
        inputs: dict[str, Tensor | list[Tensor]] = {"features": torch.zeros(shape)}
        return Graph("outcomes", _Outcomes(self.network), inputs, names, {"features": {0: ROWS}})

    def reproject(self, space: str) -> Graph:
        inputs: dict[str, Tensor | list[Tensor]] = {"image": self.images[0], "poses": self.poses}
        module = _Reproject(self.network, self.cameras[space])
        return Graph(f"reproject_{space}", module, inputs, ("reprojected",), {"poses": {0: ROWS}})

    def composite(self, space: str | None) -> Graph:
        """Of a moving camera, or of one whose way is not known; the share that is known is then an input."""
        renders = torch.zeros(self.PLANS, 2 * RENDER_CHANNELS, *self.card.image_size, dtype=torch.uint8)
        inputs: dict[str, Tensor | list[Tensor]] = {"latents": self.latents, "observed": self.images[0]}
        free = {"latents": {0: ROWS}, "robot": {0: ROWS}}
        if space is None:
            inputs |= {"known": torch.ones(1), "robot": renders}
            return Graph("composite", _Composite(self.network), inputs, ("images",), free)
        inputs |= {"poses": self.poses, "robot": renders}
        free["poses"] = {0: ROWS}
        module = _CompositeMoving(self.network, self.cameras[space])
        return Graph(f"composite_{space}", module, inputs, ("images",), free)


class _OfNetwork(nn.Module):
    def __init__(self, network: Astra):
        super().__init__()
        self.network = network


class _Encode(_OfNetwork):
    def forward(self, images: Tensor) -> Tensor:
        return self.network.autoencoder.encode(_pixels(images))


class _Decode(_OfNetwork):
    def forward(self, latents: Tensor) -> Tensor:
        return _bytes(self.network.autoencoder.decode(latents))


class _Condition(_OfNetwork):
    def __init__(self, network: Astra, space: int):
        super().__init__(network)
        self.space = space

    def forward(self, actions: Tensor) -> Tensor:
        return self.network.action_encoder(actions, self.space)


class _RobotTokens(_OfNetwork):
    def forward(self, renders: Tensor, known: Tensor) -> Tensor:
        tokens = self.network.render_tokens(renders[:, None], known)
        assert tokens is not None
        return tokens[:, 0]


class _Remember(_OfNetwork):
    def forward(self, history: Tensor) -> tuple[Tensor, ...]:
        keys, values = zip(*self.network.remember(history).keys_values)
        return (*keys, *values)


class _Denoise(_OfNetwork):
    def __init__(self, network: Astra, drawing: bool, moving: bool):
        super().__init__(network)
        self.drawing, self.moving = drawing, moving

    def forward(self, noisy: Tensor, time: Tensor, *rest) -> tuple[Tensor, ...]:
        context, (observed, keys, values) = list(rest[:-3]), rest[-3:]
        reprojected = context.pop() if self.moving else None
        tokens = context.pop() if self.drawing else None
        frame = FrameContext(*context)._replace(robot_tokens=tokens, reprojected=reprojected)
        return tuple(self.network.denoise(noisy, time, frame, Memory(list(zip(keys, values)), observed)))


class _Outcomes(_OfNetwork):
    def forward(self, features: Tensor) -> tuple[Tensor, ...]:
        assert self.network.outcome_heads is not None
        return tuple(self.network.outcome_heads(features).values())


class _Reproject(_OfNetwork):
    def __init__(self, network: Astra, camera: InverseDepthCamera):
        super().__init__(network)
        self.camera = camera

    def forward(self, image: Tensor, poses: Tensor) -> Tensor:
        views, seen = reproject(_pixels(image[None]), poses[None], self.camera)
        return encoded_views(self.network.autoencoder, views[0], seen[0])


class _Composite(_OfNetwork):
    def forward(self, latents: Tensor, observed: Tensor, known: Tensor, robot: Tensor) -> Tensor:
        frame = _pixels(observed[None])
        seen = frame.expand(latents.shape[0], -1, -1, -1)
        return _bytes(self.network.composite(latents, seen, known.expand_as(seen[:, :1]), robot / 255))


class _CompositeMoving(_OfNetwork):
    def __init__(self, network: Astra, camera: InverseDepthCamera):
        super().__init__(network)
        self.camera = camera

    def forward(self, latents: Tensor, observed: Tensor, poses: Tensor, robot: Tensor) -> Tensor:
        seen, known = last_seen(_pixels(observed[None])[0], latents.shape[0], poses, self.camera, True)
        return _bytes(self.network.composite(latents, seen, known, robot / 255))


def _pixels(images: Tensor) -> Tensor:
    """uint8 [N, h, w, 3] -> [N, 3, h, w] in 0..1."""
    return images.permute(0, 3, 1, 2).float() / 255


def _bytes(images: Tensor) -> Tensor:
    """Its inverse."""
    return (images * 255).round().to(torch.uint8).permute(0, 2, 3, 1)
