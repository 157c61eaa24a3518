"""The files that each data set is read from: addresses, sizes, checksums."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import starmap


@dataclass(frozen=True)
class Source:
    """A file as it is downloaded, into the folder `group`.

    `checksum` is "md5:…" or "sha256:…". Where gzip zips a single file, it is of what is
    inside, since mirrors zip anew. `size` is in bytes, about, to be told beforehand.
    """

    group: str
    name: str
    urls: tuple[str, ...]
    checksum: str
    size: int


@dataclass(frozen=True)
class Needed:
    """A file that a data set is read from, and the source that it comes from.

    That is the file itself, the file zipped (`path` with .gz), or a tar archive in
    which it has a path that ends in `path`. `checksum` is "" where nobody gives it.
    """

    path: str
    source: Source
    checksum: str = ""


def _mnist(name: str, md5: str, size: int) -> Needed:
    mirrors = (
        "https://ossci-datasets.s3.amazonaws.com/mnist",
        "https://storage.googleapis.com/cvdf-datasets/mnist",
    )
    urls = tuple(f"{mirror}/{name}.gz" for mirror in mirrors)
    source = Source("mnist", f"{name}.gz", urls, f"md5:{md5}", size)
    return Needed(name, source, source.checksum)


def _binary(name: str, sha256: str, size: int) -> Needed:
    place = "http://www.cs.toronto.edu/~larocheh/public/datasets/binarized_mnist"
    checksum = f"sha256:{sha256}"
    group = "binarised_mnist_original"
    source = Source(group, name, (f"{place}/{name}",), checksum, size)
    return Needed(name, source, checksum)


_CIFAR = Source(
    "cifar10",
    "cifar-10-python.tar.gz",
    ("https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",),
    "md5:c58f30108f718f92721af3b95e74349a",
    170_498_071,
)


def _cifar(name: str, md5: str) -> Needed:
    return Needed(f"cifar-10-batches-py/{name}", _CIFAR, f"md5:{md5}")


# The archive of MAF's authors (https://zenodo.org/records/1161203), who give no
# checksums for what is in it.
_MAF = Source(
    "maf",
    "data.tar.gz",
    (
        "https://zenodo.org/records/1161203/files/data.tar.gz?download=1",
        "https://zenodo.org/api/records/1161203/files/data.tar.gz/content",
    ),
    "md5:9b9c9b0375315ad270eba4ce80c093ab",
    857_000_000,
)


MNIST = tuple(
    starmap(
        _mnist,
        [
            ("train-images-idx3-ubyte", "6bbc9ace898e44ae57da46a324031adb", 9_912_422),
            ("train-labels-idx1-ubyte", "a25bea736e30d166cdddb491f175f624", 28_881),
            ("t10k-images-idx3-ubyte", "2646ac647ad5339dbf082846283269ea", 1_648_877),
            ("t10k-labels-idx1-ubyte", "27ae3e4e09519cfbb04c329615203637", 4_542),
        ],
    )
)
BINARY_MNIST = tuple(
    starmap(
        _binary,
        [
            (
                "binarized_mnist_train.amat",
                "ad693b29f94c14277b095f5238ddefbbdaaae0939789dd2f4f0205278cee3e4d",
                78_400_000,
            ),
            (
                "binarized_mnist_valid.amat",
                "1de3d397c40fe8eeb33dafd4099a1f665ec01e96d9be234aaeeac8a34930e2e2",
                15_680_000,
            ),
            (
                "binarized_mnist_test.amat",
                "e6687bfea3f820c174f33b7865140b2a2dd2930ef786f35d45795fc193b5ab2c",
                15_680_000,
            ),
        ],
    )
)
CIFAR10 = tuple(
    starmap(
        _cifar,
        [
            ("data_batch_1", "c99cafc152244af753f735de768cd75f"),
            ("data_batch_2", "d4bba439e000b95fd0a9bffe97cbabec"),
            ("data_batch_3", "54ebc095f3ab1f0389bbae665268c751"),
            ("data_batch_4", "634d18415352ddfa80567beed471001a"),
            ("data_batch_5", "482c414d41f54cd18b22e5b47cb7c3cb"),
            ("test_batch", "40351d587109b95175f43aff81a1287e"),
        ],
    )
)
FILES: dict[str, tuple[Needed, ...]] = {
    "mnist": MNIST,
    "binarised_mnist": MNIST,
    "binarised_mnist_original": BINARY_MNIST,
    "cifar10": CIFAR10,
    "power": (Needed("data/power/data.npy", _MAF),),
    "gas": (Needed("data/gas/ethylene_CO.pickle", _MAF),),
    "hepmass": (
        Needed("data/hepmass/1000_train.csv", _MAF),
        Needed("data/hepmass/1000_test.csv", _MAF),
    ),
    "miniboone": (Needed("data/miniboone/data.npy", _MAF),),
    "bsds300": (Needed("data/BSDS300/BSDS300.hdf5", _MAF),),
}
"""The files of each data set, in the order in which it reads them."""
