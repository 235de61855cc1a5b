"""Settings of the Astra network, and its presets: `tiny`, `small` and `paper`."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from astra_ros.outcomes import OUTCOMES

RENDER_CHANNELS = 3  # of a robot render: coverage, nearness, which part (`robot/renderer.py`)


@dataclass(frozen=True)
class AstraConfig:
    """The shape of the network, and its diffusion process.

    Weights fit only a network with the same settings, so the model card has them.
    """

    # the image and its latent
    image_size: tuple[int, int] = (64, 64)  # (h, w) in pixels, multiples of `cell`
    latent_channels: int = 16
    encoder_widths: tuple[int, ...] = (24, 48, 96)  # channels at 1/2, 1/4 (and 1/8) size
    decoder_widths: tuple[int, ...] = (32, 64, 128)
    encoder_depths: tuple[int, ...] = (1, 1, 1)  # residual blocks at these sizes
    decoder_depths: tuple[int, ...] = (1, 2, 2)
    patch: int = 2  # latent cells a token spans, each way

    # the transformer
    hidden_dim: int = 192
    num_layers: int = 6
    num_heads: int = 6
    context_layers: int = 2  # of the TemporalTransformer
    temporal_window: int = 4  # T, observed frames the memory is made from
    adapter_rank: int = 64  # of each block's own action adapter

    # actions and outcomes
    action_dims: tuple[int, ...] = (14, 14)  # one per action space, in card order
    modalities: tuple[str, ...] = ()  # of each space; an expert each; (): none
    drawing: bool = False  # input: the robot rendered along the plan
    reprojection: bool = False  # input: the last image, seen from the camera's later place
    compositing: bool = False  # lay the observed image over the decoded one
    residual: bool = True  # flow only: predict the change, not the latent
    displacements: int = 0  # places that a cell may come from; 0: its own
    observed_displacements: int = 0  # and places in the last observed (reprojected) latent
    object_token: bool = False  # a token a frame that knows where the object was and where the tool is
    outcomes: tuple[str, ...] = OUTCOMES

    # the diffusion process
    process: str = "flow"  # 'flow' (x-prediction) | 'ddpm' (epsilon)
    num_timesteps: int = 1000  # ddpm only
    beta_start: float = 1e-4  # ddpm only, linear betas
    beta_end: float = 2e-2
    snr_gamma: float = 0.5  # ddpm only, weight min(SNR, gamma) / SNR
    denoising_steps: int = 1  # at inference, unless a call says otherwise
    history_noise: float = 0.05  # level put on the newest latents at inference
    chunk: int = 1  # F, frames imagined together
    time_attention: bool = False  # each frame of a chunk attends to the earlier ones: one pass for all of them
    initial_noise: float = 1.0  # standard deviation of what a chunk starts from; 0: of all futures the mean
    strides: tuple[int, ...] = (1,)  # steps from one imagined frame to the next that it was trained for

    def __post_init__(self):
        if self.chunk < 1:
            raise ValueError(f"chunk {self.chunk}: expected at least 1 frame")
        if 1 not in self.strides or min(self.strides) < 1 or (len(self.strides) > 1 and not self.time_attention):
            raise ValueError(f"strides {self.strides}: expected 1, and others from 2 on only with time_attention")
        for name in ("history_noise", "initial_noise"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} {getattr(self, name)}: expected 0 to 1")
        levels = (self.encoder_widths, self.decoder_widths, self.encoder_depths, self.decoder_depths)
        depths = {len(level) for level in levels}
        if len(depths) != 1 or min(depths) < 1:
            raise ValueError(
                f"encoder_widths {self.encoder_widths}, decoder_widths "
                f"{self.decoder_widths} and their depths {self.encoder_depths}, "
                f"{self.decoder_depths}: expected as many of each"
            )
        if self.modalities and len(self.modalities) != len(self.action_dims):
            raise ValueError(
                f"{len(self.modalities)} modalities for {len(self.action_dims)} action_dims: expected one each, or none"
            )
        rows, cols = self.image_size
        if rows % self.cell or cols % self.cell:
            raise ValueError(f"image_size {self.image_size}: both must be multiples of {self.cell}")
        if self.observed_displacements and not self.displacements:
            raise ValueError("observed_displacements without displacements: expected both or neither")
        if self.hidden_dim % self.num_heads:
            raise ValueError(f"hidden_dim {self.hidden_dim} is not a multiple of num_heads {self.num_heads}")
        if self.process not in ("flow", "ddpm"):
            raise ValueError(f"process '{self.process}': expected 'flow' or 'ddpm'")

    @property
    def reduction(self) -> int:
        """Pixels that a latent cell spans, each way."""
        return 2 ** len(self.encoder_widths)

    @property
    def cell(self) -> int:
        """Pixels that a token spans, each way."""
        return self.reduction * self.patch

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        """(C, h, w) of one frame's latent."""
        return (self.latent_channels, self.image_size[0] // self.reduction, self.image_size[1] // self.reduction)

    @property
    def tokens_per_frame(self) -> int:
        _, rows, cols = self.latent_shape
        return (rows // self.patch) * (cols // self.patch)

    @property
    def features_per_frame(self) -> int:
        """Rows of a frame's features: its tokens, and of an object token two more."""
        return self.tokens_per_frame + (2 if self.object_token else 0)

    def to_dict(self) -> dict:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict) -> AstraConfig:
        """Inverse of `to_dict`, also through JSON. Raises ValueError on an unknown name."""
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise ValueError(f"unknown model settings {unknown}; known are {sorted(known)}")
        settings: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
        }
        return cls(**settings)


# What every preset has; the action spaces are those of the data.
_WHOLE = AstraConfig(
    modalities=("joints", "joints"), drawing=True, reprojection=True, displacements=4, observed_displacements=4
)

# Small enough for two CPU cores.
_TINY = replace(_WHOLE, latent_channels=24, compositing=True)

# `tiny` and `small` are models that ship.
PRESETS: dict[str, AstraConfig] = {
    "tiny": _TINY,
    # Images of twice the size: tokens span twice as many pixels, so their number is the same. All frames in one pass.
    "small": replace(
        _TINY,
        image_size=(128, 128),
        patch=4,
        hidden_dim=256,
        num_heads=4,
        chunk=16,
        time_attention=True,
        initial_noise=0.0,
        history_noise=0.0,
        strides=(1, 4, 8),
    ),
    # The configuration that the seed document prints: 1024 wide, 24 layers, 16 heads, window 16,
    # 1000 steps with linear betas, epsilon-prediction weighted by SNR with gamma 0.5.
    "paper": replace(
        _WHOLE,
        image_size=(256, 256),
        encoder_widths=(128, 256, 512),
        decoder_widths=(128, 256, 512),
        hidden_dim=1024,
        num_layers=24,
        num_heads=16,
        context_layers=4,
        temporal_window=16,
        adapter_rank=128,
        process="ddpm",
        denoising_steps=50,
        history_noise=0.1,
    ),
}


def preset(name: str) -> AstraConfig:
    """The preset of that name. Raises ValueError that lists the known ones."""
    if name not in PRESETS:
        raise ValueError(f"unknown preset '{name}'; known are {sorted(PRESETS)}")
    return PRESETS[name]
