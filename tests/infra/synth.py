"""One synthesis with a stand-in bundle: `python -m tests.infra.synth FOLDER [STAGE]`."""

import sys
from pathlib import Path

from aws_cdk import App, Validations
from cdk_nag import AwsSolutionsChecks

from infra.assembly import add_stages, new_app
from infra.bundle import Bundle, Stamp


def bundle(folder: Path) -> Bundle:
    """Small folders in place of the real bundle; the stamps are fixed, so templates are too."""
    for name in ("code", "layer"):
        (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / name / "content.txt").write_text(name)
    (folder / "requirements.txt").write_text("pyarrow\n")
    return Bundle(folder / "code", folder / "layer", folder / "requirements.txt", Stamp("c" * 64, "1" * 64))


def synthesize(folder: Path, **context: object) -> Path:
    """Write an assembly below `folder` with cdk-nag's findings in its validation report."""
    app = new_app(str(folder / "assembly"), context)
    watch(app)
    add_stages(app, bundle(folder / "bundle"))
    app.synth()
    return folder / "assembly"


def watch(app: App) -> None:
    """Let cdk-nag look at every resource of the app."""
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))


if __name__ == "__main__":
    synthesize(Path(sys.argv[1]), **({"stage": sys.argv[2]} if len(sys.argv) > 2 else {}))
