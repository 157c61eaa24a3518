"""MAF: Table 1 (five sets of vectors) and Table 2 (MNIST and CIFAR-10, logit space)."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from implementations.scale.builders import (
    made_gaussian,
    made_mog,
    maf_mog_normalised,
    maf_normalised,
    real_nvp_normalised,
)
from implementations.scale.recipes import Cut, RowRecipe, TrainingPlan

FLOWS = TrainingPlan(rate=1e-4, decay=1e-6)
AT_ONCE = replace(FLOWS, rate=1e-3)  # of models without layers of flow
MODELS: dict[str, tuple[partial[Any], TrainingPlan]] = {
    "MADE": (partial(made_gaussian), AT_ONCE),
    "MADE MoG": (partial(made_mog, components=10), AT_ONCE),
    "Real NVP (5)": (partial(real_nvp_normalised, layers=5), FLOWS),
    "Real NVP (10)": (partial(real_nvp_normalised, layers=10), FLOWS),
    "MAF (5)": (partial(maf_normalised, layers=5), FLOWS),
    "MAF (10)": (partial(maf_normalised, layers=10), FLOWS),
    "MAF MoG (5)": (partial(maf_mog_normalised, layers=5, components=10), FLOWS),
}
DEPARTS = (
    "The last layer of a network starts at 0, the others as PyTorch's do; the decay is "
    "on all parameters."
)

# Nats and error bars, a row for each model, in the order of `MODELS`.
VECTORS = {
    "power": "-3.08 0.03 0.40 0.01 -0.02 0.01 0.17 0.01 0.14 0.01 0.24 0.01 0.30 0.01",
    "gas": "3.56 0.04 8.47 0.02 4.78 1.80 8.33 0.14 9.07 0.02 10.08 0.02 9.59 0.02",
    "hepmass": "-20.98 0.02 -15.15 0.02 -19.62 0.02 -18.71 0.02 -17.70 0.02 "
    "-17.73 0.02 -17.39 0.02",
    "miniboone": "-15.59 0.50 -12.27 0.47 -13.55 0.49 -13.84 0.52 -11.75 0.44 "
    "-12.24 0.45 -11.68 0.44",
    "bsds300": "148.85 0.28 153.71 0.28 152.97 0.28 153.28 1.78 155.69 0.28 "
    "154.93 0.28 156.36 0.28",
}
WIDTHS = {"power": 100, "gas": 100, "hepmass": 512, "miniboone": 512, "bsds300": 1024}
SETS = {
    "power": "POWER",
    "gas": "GAS",
    "hepmass": "HEPMASS",
    "miniboone": "MINIBOONE",
    "bsds300": "BSDS300",
    "mnist": "MNIST",
    "cifar10": "CIFAR-10",
}
IMAGES = {
    ("mnist", False): "-1380.8 4.8 -1038.5 1.8 -1323.2 6.6 -1370.7 10.1 -1300.5 1.7 "
    "-1313.1 2.0 -1100.3 1.6",
    ("mnist", True): "-1361.9 1.9 -1030.3 1.7 -1326.3 5.8 -1371.3 43.9 -1302.9 1.7 "
    "-1316.8 1.8 -1092.3 1.7",
    ("cifar10", False): "147 20 -397 21 2576 27 2568 26 2936 27 3049 26 2911 26",
    ("cifar10", True): "187 20 -119 20 2642 26 2475 25 2983 26 3058 26 2936 26",
}
# Rows that two CPU cores can do, of MNIST alone.
_NARROW = Cut(
    "small",
    "256 units a layer in place of 1,024; a rate of 0.001 that falls to 0 over 12 "
    "epochs",
    sizes={"hidden": (256, 256)},
    plan={"epochs": 12, "rate": 1e-3, "schedule": "cosine"},
)
_FALLING = Cut(
    "falling",
    "A rate that falls to 0 over 25 epochs",
    plan={"epochs": 25, "schedule": "cosine"},
)
CUTS = {
    "MADE": (Cut("small", "20 epochs at most", plan={"epochs": 20}), _FALLING),
    "Real NVP (5)": (_NARROW,),
    "MAF (5)": (_NARROW,),
}


def _build(model: str, width: int) -> tuple[partial[Any], TrainingPlan]:
    build, plan = MODELS[model]
    sizes: dict[str, Any] = {"hidden": (width, width)}
    return partial(build, **sizes), plan


def _slug(model: str) -> str:
    return model.lower().translate(str.maketrans(" ", "-", "()"))


def _of_vectors(data: str) -> list[RowRecipe]:
    numbers = [float(number) for number in VECTORS[data].split()]
    recipes = []
    for model, reported, error in zip(MODELS, numbers[::2], numbers[1::2], strict=True):
        build, plan = _build(model, WIDTHS[data])
        recipes.append(
            RowRecipe(
                name=f"{_slug(model)}-{data}",
                paper="maf",
                table=f"Table 1, {SETS[data]}",
                row=model,
                data=data,
                view="rows",
                build=build,
                plan=plan,
                unit="log p, nats",
                reported=reported,
                error=error,
                departs=f"{DEPARTS} Two hidden layers, where the paper chose one or "
                "two on the validation set.",
            )
        )
    return recipes


def _of_images(data: str, conditional: bool) -> list[RowRecipe]:
    numbers = [float(number) for number in IMAGES[data, conditional].split()]
    given = "class-conditional" if conditional else "unconditional"
    recipes = []
    for model, reported, error in zip(MODELS, numbers[::2], numbers[1::2], strict=True):
        build, plan = _build(model, 1024)
        recipes.append(
            RowRecipe(
                name=f"{_slug(model)}-{data}{'-conditional' * conditional}",
                paper="maf",
                table=f"Table 2, {SETS[data]}, {given}",
                row=model,
                data=data,
                view="logit",
                build=build,
                plan=plan,
                unit="log p, nats",
                reported=reported,
                error=error,
                conditional=conditional,
                departs=DEPARTS,
                cuts=CUTS.get(model, ()) if data == "mnist" else (),
            )
        )
    return recipes


RECIPES = (
    *(recipe for key in IMAGES for recipe in _of_images(*key)),
    *(recipe for data in VECTORS for recipe in _of_vectors(data)),
)
