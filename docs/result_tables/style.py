"""What a reference image adds where a scene looks other than those of the training."""

from .markdown import markdown

STYLES = {
    "ceiling": "autoencoder alone",
    "told": "**model, with a reference image**",
    "matched": "model, only mean and spread of its colours matched",
    "untold": "model, without a reference image",
    "copy": "copy of the last frame, in the first style",
}


def style(result: dict) -> str:
    """PSNR by horizon of scenes imagined in another style, for every robot."""
    # A robot has none where no scene of it was recorded twice.
    found = {space: figures["style"] for space, figures in result["spaces"].items() if "style" in figures}
    first = next(iter(found.values()))
    horizons = list(first["psnr_db"]["told"])
    rows = [
        [f"{space}, {of['clips']} clips", title, *(f"{of['psnr_db'][row][h]:.1f}" for h in horizons)]
        for space, of in found.items()
        for row, title in STYLES.items()
    ]
    adds, over_matched = (
        ", ".join(
            "{} {:+.2f} dB ({:+.2f} to {:+.2f})".format(space, of[gain]["mean"], *of[gain]["interval_95"])
            for space, of in found.items()
        )
        for gain in ("gain_db", "gain_over_matched_db")
    )
    return markdown(["PSNR, dB", "frames ahead", *horizons], rows) + (
        f"\nWhat the reference image adds, {first['gain_db']['horizon']} frames ahead (95 % interval): {adds}.\n"
        f"\nWhat it adds beyond matched colours: {over_matched}.\n"
    )
