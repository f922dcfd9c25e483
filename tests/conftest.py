"""What several test files share."""

import json
import pathlib
import socket

import numpy as np
import pytest


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
    import keras

    from rankpose_tf.models import expected_error, saving

    keras.utils.set_random_seed(6)
    network = saving.read_network(small_model)
    features = network.get_layer("features").output.shape[-1]
    whole = expected_error.with_head(network, expected_error.new_head(features, 8))
    workdir = tmp_path_factory.mktemp("doubting_model")
    saving.save_model(whole, workdir / "best.keras", saving.read_description(small_model))
    return workdir


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
        "views_within_limit": sum(item["views"] for item in listed),
        "skipped": {},
        "shards": listed,
        "minimum_views": minimum_views,
    }
    (folder / "dataset.json").write_text(json.dumps(description))
