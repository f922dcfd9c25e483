"""What several test files share."""

import json
import pathlib
import socket

import numpy as np
import pytest

from tests.support import shared

# Channels of the block of `every_format`.
WIDE = 128

# What takes longest, in its order: a worker that began one of these last would leave the other
# idle at the end. All others follow.
LONG = (
    "web/test_page.py",
    "training/test_options.py",
    "training/test_loop.py",
    "training/test_weights.py",
    "exporting/test_run.py",
    "exporting/test_every_format.py",
    "exporting/test_shipping.py",
    "training/test_starting.py",
    "studies/test_ablation_runs.py",
    "exporting/test_expected_error.py",
    "inference/test_sharing.py",
    "evaluation/test_evaluate.py",
    "prediction/test_predict_command.py",
    "preparation/test_prepare_command.py",
    "exporting/test_tflite.py",
    "core/test_keras_layers.py",
    "studies/test_figures.py",
    "data/test_pairs.py",
)


def pytest_collection_modifyitems(items):
    """Files of `LONG` come first; within a file the order stays."""
    places = {name: place for place, name in enumerate(LONG)}

    def place(item):
        return places.get("/".join(item.path.parts[-2:]), len(LONG))

    items.sort(key=place)


@pytest.fixture(scope="session", autouse=True)
def loopback_alone():
    """No test connects to another machine, whatever a library would fetch unasked."""

    def refusing(connect):
        def connect_here(self, address):
            if self.family in (socket.AF_INET, socket.AF_INET6) and not _is_loopback(address[0]):
                raise AssertionError(f"a test connects to {address}")
            return connect(self, address)

        return connect_here

    with pytest.MonkeyPatch.context() as patch:
        for name in ("connect", "connect_ex"):
            patch.setattr(socket.socket, name, refusing(getattr(socket.socket, name)))
        yield


def _is_loopback(host):
    return host in ("localhost", "::1", "") or host.startswith("127.")


@pytest.fixture(scope="session")
def shared_data():
    """The folder of real faces beside the checkout; tests that need it are skipped without it."""
    folder = pathlib.Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"real faces are absent: {folder.name}/ is not beside the checkout")
    return folder


@pytest.fixture(scope="session")
def prepared(tmp_path_factory):
    """Shards of 24 rendered heads of 4 views, 64 px, prepared as a user's data would be."""
    from rankpose_tf.data import synthetic

    folder = tmp_path_factory.mktemp("prepared")
    heads = list(synthetic.identities(24, views=4, seed=3, size=64))
    write_prepared(folder, [heads[0::2], heads[1::2]])
    return folder


@pytest.fixture(scope="session")
def table(prepared):
    """Rows of the identities of `prepared`."""
    from rankpose_tf.data import prepared_folder

    return prepared_folder.read_identity_table(prepared)


@pytest.fixture(scope="session")
def small_model(tmp_path_factory):
    """Workdir with an untrained compact model of 32 px whose answers depend on its input."""
    return write_untrained(tmp_path_factory.mktemp("small_model"))


@pytest.fixture(scope="session")
def one_block_model(tmp_path_factory):
    """`small_model` with one block: quick to export, where it is no matter what is exported."""
    from tests.support.one_block import one_block_towers

    with one_block_towers():
        return write_untrained(tmp_path_factory.mktemp("one_block_model"))


@pytest.fixture(scope="session")
def doubting_model(small_model, tmp_path_factory):
    """Workdir with `small_model` and an untrained head that tells its expected error."""
    return write_doubting(small_model, tmp_path_factory.mktemp("doubting_model"))


@pytest.fixture(scope="session")
def rendered_crops():
    """210 rendered heads, (210, 32, 32, 3) uint8: enough to calibrate full int8 on."""
    from rankpose_tf.data import synthetic

    poses = np.random.default_rng(1).uniform(-0.8, 0.8, (210, 3))
    return np.stack([synthetic.render(i, pose, 32)[0] for i, pose in enumerate(poses)])


@pytest.fixture(scope="session")
def every_format(rendered_crops, tmp_path_factory):
    """Workdir of a model of 32 px, and the model in every format beside it, float32 and other.

    best.keras, savedmodel/, folded/, {variant}.tflite, rankpose.onnx, rankpose.xml. Its one block
    has an operation of each kind that a tower has, and channels enough for int8's rounding to
    average out and for its weights to be what makes its files large.
    """
    from rankpose_tf.exporting import tflite
    from tests.support.one_block import one_block_towers

    def write(folder):
        with one_block_towers(channels=WIDE, features=4 * WIDE):
            write_untrained(folder)
        write_formats(folder, tflite.VARIANTS, rendered_crops)

    return shared.folder(tmp_path_factory, "every_format", write)


@pytest.fixture(scope="session")
def doubting_formats(every_format, rendered_crops, tmp_path_factory):
    """`every_format` of its model with a head that tells the expected error; fp32 and int8."""

    def write(folder):
        write_doubting(every_format, folder)
        write_formats(folder, ("fp32", "int8"), rendered_crops)

    return shared.folder(tmp_path_factory, "doubting_formats", write)


def write_doubting(plain, workdir):
    """Fills `workdir` as `doubting_model` says of the model in `plain`, and returns it."""
    import keras

    from rankpose_tf.models import expected_error, saving

    keras.utils.set_random_seed(6)
    network = saving.read_network(plain)
    features = network.get_layer("features").output.shape[-1]
    whole = expected_error.with_head(network, expected_error.new_head(features, 8))
    saving.save_model(whole, workdir / "best.keras", saving.read_description(plain))
    return workdir


def write_formats(workdir, variants, crops):
    """Exports a workdir's model beside it, as `every_format` says."""
    from rankpose_tf.exporting import folded, onnx, openvino, savedmodel, tflite
    from rankpose_tf.models import saving

    model = saving.load_model(workdir, errors=True)
    savedmodel.write(*model, workdir / "savedmodel")
    folded.write(*model, workdir / "folded")
    for variant in variants:
        tflite.write(*model, variant, workdir / f"{variant}.tflite", crops)
    onnx.write(*model, workdir / "rankpose.onnx")
    openvino.write(*model, workdir / "rankpose.xml")


def write_untrained(workdir):
    """Fills `workdir` as `small_model` says, and returns it.

    Batch normalisation has statistics of its own, so that whoever forgets it is found out.
    """
    import keras

    from rankpose_tf.models import saving, towers

    keras.utils.set_random_seed(5)
    tower = towers.build_tower("compact", 32)
    generator = np.random.default_rng(5)
    for weight in tower.weights:
        low, high = {
            "gamma": (0.7, 1.3),
            "beta": (-0.3, 0.3),
            "moving_mean": (-0.3, 0.3),
            "moving_variance": (0.7, 1.5),
        }.get(weight.name, (None, None))
        if low is not None:
            weight.assign(generator.uniform(low, high, weight.shape))
    description = {
        "tower": "compact",
        "input_size": 32,
        "transform": "arccos",
        "crop_scale": 1.4,
        "training_set": "none",
        "rankpose_tf": "test",
    }
    saving.save_model(tower, workdir / "best.keras", description)
    return workdir


def write_prepared(folder, shards, minimum_views=2):
    """Writes lists of identities as a prepared directory, for tests that need given labels."""
    from rankpose_tf.data import prepared_folder, records

    rows, listed = [], []
    for number, identities in enumerate(shards):
        name = prepared_folder.shard_name(number, len(shards))
        records.write_shard(folder / name, identities)
        views = sum(len(identity.views) for identity in identities)
        listed.append({"file": name, "identities": len(identities), "views": views})
        for identity in identities:
            poses = np.stack([view.pose for view in identity.views])
            rows.append(
                {
                    "identity": identity.name,
                    "group": identity.group,
                    "shard": number,
                    "views": len(identity.views),
                    "views_within_limit": int(records.within_limit(poses).sum()),
                }
            )
    prepared_folder.write_identity_table(folder, rows)
    description = {
        "format_version": prepared_folder.FORMAT_VERSION,
        "kind": "synthetic",
        "source": "test",
        "protocol_set": "rendered heads",
        "box_source": "landmarks",
        "identities": sum(item["identities"] for item in listed),
        "views": sum(item["views"] for item in listed),
        "views_within_limit": sum(row["views_within_limit"] for row in rows),
        "skipped": {},
        "shards": listed,
        "minimum_views": minimum_views,
    }
    (folder / "dataset.json").write_text(json.dumps(description))
