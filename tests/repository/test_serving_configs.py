"""The files of export/serving against TF Serving's protos, flags and rules, and each other."""

import pathlib
import re
import shlex
import shutil
import subprocess
import urllib.error
import urllib.request

import pytest
import yaml
from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from rankpose_tf.exporting import savedmodel
from rankpose_tf.serving import client
from tests.support import server_batching
from tests.support.number_session import NumberSession
from tests.support.prediction_server import Server

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "export" / "serving"
CONFIGS = ("models.config", "batching.config", "monitoring.config")
# The newest release at the time of writing.
IMAGE = "tensorflow/serving:2.20.0"
GRPC_PORT, REST_PORT = 8500, 8501
# tensorflow_serving/model_servers/main.cc, those that a CPU server may want.
FLAGS = {
    "allow_version_labels_for_unavailable_models",
    "batching_parameters_file",
    "enable_batching",
    "enable_model_warmup",
    "file_system_poll_wait_seconds",
    "grpc_channel_arguments",
    "grpc_max_threads",
    "model_config_file",
    "model_config_file_poll_wait_seconds",
    "monitoring_config_file",
    "num_load_threads",
    "rest_api_num_threads",
    "rest_api_timeout_in_ms",
    "tensorflow_inter_op_parallelism",
    "tensorflow_intra_op_parallelism",
}


def read(name):
    return (FOLDER / name).read_text()


def models(text):
    """ModelConfigs of a text, by the official proto."""
    config = text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
    return config.model_config_list.config


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load(read("compose.yaml"))["services"]["rankpose"]


@pytest.fixture(scope="module")
def manifests():
    """Kind -> manifest; each occurs once."""
    documents = list(yaml.safe_load_all(read("kubernetes.yaml")))
    found = {document["kind"]: document for document in documents}
    assert len(found) == len(documents)
    return found


@pytest.fixture(scope="module")
def pod(manifests):
    return manifests["Deployment"]["spec"]["template"]["spec"]


@pytest.fixture(scope="module")
def container(pod):
    (container,) = pod["containers"]
    return container


def code_blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", read("README.md"), re.DOTALL)


@pytest.fixture(scope="module")
def docker_run():
    """Words of the README's docker run command."""
    (block,) = (block for block in code_blocks("bash") if "docker run" in block)
    return shlex.split(block[block.index("docker run") :].replace("\\\n", " "))


@pytest.fixture
def arguments(request, compose, container, docker_run):
    """The server's arguments as one of the three ways to start it gives them."""
    return {
        "compose": compose["command"],
        "kubernetes": container["args"],
        "docker run": docker_run[docker_run.index(IMAGE) + 1 :],
    }[request.param]


each_start = pytest.mark.parametrize(
    "arguments", ["compose", "kubernetes", "docker run"], indirect=True
)


def test_the_model_is_the_one_that_clients_ask_for():
    (config,) = models(read("models.config"))
    assert config.name == client.Client("localhost:1").model
    assert config.base_path == f"/models/{config.name}"
    assert config.model_platform == "tensorflow"
    assert config.model_version_policy.latest.num_versions == 1


def test_batches_are_those_that_the_export_warms_up():
    parameters = server_batching.read_parameters(FOLDER / "batching.config")
    assert parameters.allowed_batch_sizes == savedmodel.BATCH_SIZES
    assert parameters.batch_timeout_micros == 0 and parameters.max_enqueued_batches > 0


def test_a_client_asks_for_no_more_than_a_batch_holds():
    parameters = server_batching.read_parameters(FOLDER / "batching.config")
    assert client.Client("localhost:1").max_pictures <= parameters.max_batch_size


def test_arrays_are_not_padded_with_black():
    message = server_batching.parse_text("BatchingParameters", read("batching.config"))
    assert not message.pad_variable_length_inputs


@pytest.mark.parametrize("text", ["max_batch_size: 32", "max_batch_sise { value: 32 }"])
def test_the_parser_of_batching_parameters_is_strict(text):
    with pytest.raises(text_format.ParseError):
        server_batching.parse_text("BatchingParameters", text)


def test_metrics_are_where_kubernetes_looks_for_them(manifests):
    config = server_batching.parse_text("MonitoringConfig", read("monitoring.config"))
    assert config.prometheus_config.enable
    notes = manifests["Deployment"]["spec"]["template"]["metadata"]["annotations"]
    assert notes["prometheus.io/path"] == config.prometheus_config.path
    assert notes["prometheus.io/port"] == str(REST_PORT)
    assert config.prometheus_config.path in read("README.md")


def test_the_config_map_holds_the_files_beside_it(manifests):
    data = manifests["ConfigMap"]["data"]
    assert set(data) == set(CONFIGS)
    assert models(data["models.config"]) == models(read("models.config"))
    kinds = {"batching.config": "BatchingParameters", "monitoring.config": "MonitoringConfig"}
    for name, kind in kinds.items():
        # Each message has a class of its own, so what they say is compared.
        ours, theirs = (server_batching.parse_text(kind, text) for text in (data[name], read(name)))
        assert text_format.MessageToString(ours) == text_format.MessageToString(theirs)


def test_one_pinned_image_everywhere(compose, container):
    assert compose["image"] == container["image"] == IMAGE
    named = re.findall(r"tensorflow/serving:\S+", read("README.md"))
    assert named == [IMAGE]


@each_start
def test_flags_are_the_servers_and_go_together(arguments):
    flags = dict(argument.removeprefix("--").partition("=")[::2] for argument in arguments)
    assert len(flags) == len(arguments) and set(flags) <= FLAGS
    assert ("batching_parameters_file" in flags) == ("enable_batching" in flags)
    files = [value for value in flags.values() if value.startswith("/")]
    assert sorted(files) == sorted(f"/config/{name}" for name in CONFIGS)
    kinds = {flag: value for flag, value in flags.items() if flag.endswith("_file")}
    assert kinds["batching_parameters_file"].endswith("batching.config")
    assert kinds["model_config_file"].endswith("models.config")
    assert kinds["monitoring_config_file"].endswith("monitoring.config")


@each_start
def test_threads_are_the_processors(arguments, compose, container, docker_run):
    threads = server_batching.read_parameters(FOLDER / "batching.config").num_batch_threads
    assert f"--tensorflow_intra_op_parallelism={threads}" in arguments
    assert f"--tensorflow_inter_op_parallelism={threads}" in arguments
    assert compose["deploy"]["resources"]["limits"]["cpus"] == str(threads)
    assert container["resources"]["limits"]["cpu"] == str(threads)
    assert docker_run[docker_run.index("--cpus") + 1] == str(threads)


def test_compose_mounts_what_its_flags_name_read_only(compose):
    model, *configs = compose["volumes"]
    (config,) = models(read("models.config"))
    assert model["target"] == config.base_path and model["read_only"] is True
    assert model["source"].startswith("${RANKPOSE_MODEL:?")
    assert configs == [f"./{name}:/config/{name}:ro" for name in CONFIGS]


def test_docker_run_mounts_what_its_flags_name_read_only(docker_run):
    mounts = [docker_run[i + 1] for i, word in enumerate(docker_run) if word == "--mount"]
    (config,) = models(read("models.config"))
    assert mounts == [
        f"type=bind,source=$RANKPOSE_MODEL,target={config.base_path},readonly",
        "type=bind,source=$PWD,target=/config,readonly",
    ]


def test_kubernetes_mounts_what_its_flags_name_read_only(manifests, pod, container):
    mounts = {mount["name"]: mount for mount in container["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert set(mounts) == set(volumes)
    (config,) = models(read("models.config"))
    assert config.base_path.startswith(mounts["models"]["mountPath"] + "/")
    assert mounts["config"]["mountPath"] == "/config"
    assert mounts["models"]["readOnly"] and mounts["config"]["readOnly"]
    assert volumes["config"]["configMap"]["name"] == manifests["ConfigMap"]["metadata"]["name"]


def test_ports_are_those_of_the_image_and_local_on_one_machine(compose, docker_run):
    expected = [f"127.0.0.1:{port}:{port}" for port in (GRPC_PORT, REST_PORT)]
    assert compose["ports"] == expected
    published = [docker_run[i + 1] for i, word in enumerate(docker_run) if word == "--publish"]
    assert published == expected


def test_the_service_leads_to_the_containers_ports(manifests, container):
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"grpc": GRPC_PORT, "rest": REST_PORT}
    service = manifests["Service"]["spec"]
    assert {port["targetPort"]: port["port"] for port in service["ports"]} == ports
    labels = manifests["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert service["selector"] == labels
    assert manifests["Deployment"]["spec"]["selector"]["matchLabels"] == labels


def test_containers_are_limited_and_unprivileged(compose, pod, container, docker_run):
    limits = compose["deploy"]["resources"]["limits"]
    assert {"cpus", "memory", "pids"} <= set(limits)
    assert {"cpu", "memory"} <= set(container["resources"]["limits"])
    assert compose["user"] == "65534:65534" and compose["read_only"]
    assert compose["cap_drop"] == ["ALL"]
    assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"] == 65534
    security = container["securityContext"]
    assert security["readOnlyRootFilesystem"] and not security["allowPrivilegeEscalation"]
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert {"--read-only", "--user", "--cap-drop", "--memory"} <= set(docker_run)


@pytest.fixture(scope="module")
def server():
    server = Server(NumberSession())
    yield server
    server.stop()


@pytest.fixture(scope="module")
def empty_server():
    """A server whose model has another name, as one whose model is not there."""
    server = Server(NumberSession(), name="other")
    yield server
    server.stop()


def status_code(address, path):
    try:
        return urllib.request.urlopen(f"http://{address}{path}", timeout=10).status
    except urllib.error.HTTPError as error:
        return error.code


@pytest.mark.parametrize("probe", ["startupProbe", "readinessProbe", "livenessProbe"])
def test_probes_pass_with_the_model_and_fail_without(container, server, empty_server, probe):
    asked = container[probe]["httpGet"]
    assert asked["port"] == "rest"
    assert status_code(server.rest_address, asked["path"]) == 200
    assert status_code(empty_server.rest_address, asked["path"]) == 404


def test_the_health_check_of_compose_passes_with_the_model_and_fails_without(
    compose, server, empty_server
):
    kind, *command = compose["healthcheck"]["test"]
    assert kind == "CMD" and command[:2] == ["bash", "-c"]

    def run(address):
        port = address.partition(":")[2]
        return subprocess.run(
            [word.replace(f"/{REST_PORT}", f"/{port}") for word in command], timeout=10
        ).returncode

    assert run(server.rest_address) == 0
    assert run(empty_server.rest_address) != 0
    assert run("127.0.0.1:1") != 0


@pytest.fixture
def pictures(tmp_path):
    """The pictures that the README's examples name; `NumberSession` reads digits."""
    for number, name in enumerate(("face.jpg", "face.png", "scene.jpg")):
        (tmp_path / name).write_bytes(str(number + 41).encode())
    return tmp_path


def aimed(text, server):
    """An example of the README, asking the server of the tests."""
    text = text.replace(f"localhost:{GRPC_PORT}", server.address)
    return text.replace(f"localhost:{REST_PORT}", server.rest_address)


def test_the_readmes_python_example_runs(server, pictures, monkeypatch, capsys):
    (example,) = code_blocks("python")
    monkeypatch.chdir(pictures)
    exec(aimed(example, server), {})
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["41.0 0.0 -41.0 True", "42.0 0.0 -42.0 True"]
    assert "yaw=43.0, pitch=120.0" in lines[2] and lines[3].startswith("True [ModelVersion")


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_the_readmes_curl_examples_run(server, pictures):
    (example,) = (block for block in code_blocks("bash") if "curl" in block)
    done = subprocess.run(
        ["bash", "-e", "-c", aimed(example, server)],
        cwd=pictures,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    status, whole, crop = done.stdout.replace("}{", "}\0{").split("\0")
    assert '"AVAILABLE"' in status
    assert '"yaw": 41.0' in whole
    assert '"yaw": 43.0' in crop and '"pitch": 120.0' in crop


def test_the_readme_names_the_batch_sizes_that_are_warmed_up():
    *sizes, last = map(str, savedmodel.BATCH_SIZES)
    assert f"at batch sizes {', '.join(sizes)} and {last}," in " ".join(read("README.md").split())
