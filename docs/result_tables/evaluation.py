"""How good imagined frames are: an evaluation of one model."""

from .markdown import markdown

FRAMES = {
    "ceiling": "autoencoder alone",
    "model": "**model**",
    "decoded": "model, decoded alone",
    "shuffled": "model, given another plan's motion",
    "geometry": "the last frame, moved by geometry alone",
    "copy": "copy of the last frame",
}


def evaluation(result: dict) -> str:
    """PSNR (SSIM) by horizon and where a probe sees the robot, for every robot."""
    spaces = result["spaces"]
    horizons = list(next(iter(spaces.values()))["psnr_db"]["model"])
    rows = []
    for space, figures in spaces.items():
        for row in [row for row in FRAMES if row in figures["psnr_db"]]:
            psnr, ssim = figures["psnr_db"][row], figures["ssim"][row]
            lpips = f"{figures['lpips'][row]['16']:.3f}" if "lpips" in figures else ""
            quality = [f"{psnr[h]:.1f} ({ssim[h]:.2f})" for h in horizons]
            rows.append([space, FRAMES[row], *quality, lpips, *follows(figures, row)])
        rows.append([space, "real frames", *[""] * len(horizons), "", *follows(figures, "real frames")])
    notes = "".join(f"- {space}: {about(figures)}\n" for space, figures in spaces.items())
    head = ["", "frames ahead", *horizons, "LPIPS at 16", "pose off by", "near"]
    return markdown(head, rows) + "\n" + notes + seen(result)


def seen(result: dict) -> str:
    """PSNR of pixels that a moving camera's last image shows too, and of the others; empty without moving cameras."""
    rows: list[list[str]] = []
    horizons: list[str] = []
    for space, figures in result["spaces"].items():
        if of := figures.get("seen"):
            horizons = horizons or list(of["share"])
            for which, title in (("seen_db", "seen"), ("unseen_db", "not seen")):
                values = {row: by_horizon for row, by_horizon in of[which].items() if row in FRAMES}
                rows += [
                    [space, title, FRAMES[row], *(f"{by[h]:.1f}" if h in by else "-" for h in horizons)]
                    for row, by in values.items()
                ]
            rows.append([space, "share that was seen", "", *(f"{of['share'].get(h, 0):.0%}" for h in horizons)])
    return "\n" + markdown(["", "pixels", "PSNR, dB, frames ahead", *horizons], rows) if rows else ""


def about(figures: dict) -> str:
    """What the outcome heads are worth, in a sentence."""
    parts = [
        f"{event.replace('_', ' ')}: AUROC {values['auroc']:.2f}, mean probability "
        f"{values['mean_probability']:.3f} where it happens in {values['mean_frequency']:.3f} of the frames"
        for event, values in figures["events"].items()
        if values["auroc"] is not None
    ]
    if "object_error_m" in figures:
        away = figures["object_error_m"]["16"]
        parts.insert(0, f"position of the object after 16 frames: {100 * away:.1f} cm off")
    if figures["still"]["share"]:
        parts.append(f"left out, because nothing had changed: {figures['still']['share']:.1%} of the frames "
                     f"({figures['still']['psnr_db']:.1f} dB there)")  # fmt: skip
    return "; ".join(parts) or "no labels"


def follows(figures: dict, row: str) -> list[str]:
    """Where the probe sees the robot; empty where there was none."""
    if "following" not in figures:
        return ["", ""]
    probe = figures["following"][row]
    return [f"{100 * probe['mean_error_m']:.1f} cm", f"{probe['near']:.0%}"]
