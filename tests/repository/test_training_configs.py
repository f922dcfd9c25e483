"""The files of export/training: what each worker is told, and that it starts again."""

import json
import os
import pathlib
import subprocess

import pytest
import yaml

from rankpose_tf.training.recipe import Recipe

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "export" / "training"
# Flags of the command beside the recipe's.
OF_A_RUN = {"workdir", "checkpoint_steps"}


@pytest.fixture
def shell(tmp_path):
    """Runs workers.sh with a `rankpose` that notes what it is told, and fails at first."""
    rankpose = tmp_path / "rankpose"
    rankpose.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$TF_CONFIG" "$*" >> {tmp_path}/told\n'
        f'[ "$(wc -l < {tmp_path}/told)" -ge "$LINES_TO_SUCCEED" ]\n'
    )
    rankpose.chmod(0o755)

    def run(*arguments, starts=1, restarts=20):
        (tmp_path / "told").unlink(missing_ok=True)
        own = {"PAUSE": "0", "RESTARTS": str(restarts), "LINES_TO_SUCCEED": str(2 * starts)}
        path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
        line = ["sh", str(FOLDER / "workers.sh"), *arguments]
        done = subprocess.run(line, env={**os.environ, **own, "PATH": path}, capture_output=True)
        return done.returncode, (tmp_path / "told").read_text().splitlines()

    return run


def parts_of(name):
    return {part["kind"]: part for part in yaml.safe_load_all((FOLDER / name).read_text())}


def test_each_of_two_hosts_is_told_both_and_its_index(shell):
    code, (config, line) = shell("1", "host1:2222,host2:2222", "--data=d", "--workdir=w")
    assert code == 0
    assert json.loads(config) == {
        "cluster": {"worker": ["host1:2222", "host2:2222"]},
        "task": {"type": "worker", "index": 1},
    }
    assert line == "train --strategy=multiworker --data=d --workdir=w"


def test_a_worker_that_failed_starts_again_but_not_for_ever(shell):
    code, told = shell("0", "host1:2222", starts=3)
    assert code == 0 and len(told) == 2 * 3
    code, told = shell("0", "host1:2222", starts=9, restarts=2)
    assert code == 1 and len(told) == 2 * 3


def test_the_job_tells_each_worker_all_of_them_by_the_names_that_it_gives(shell):
    parts = parts_of("kubernetes.yaml")
    job, service = parts["Job"], parts["Service"]
    pod = job["spec"]["template"]["spec"]
    (worker,) = pod["containers"]
    count = job["spec"]["completions"]
    assert job["spec"]["completionMode"] == "Indexed" and job["spec"]["parallelism"] == count
    assert pod["subdomain"] == service["metadata"]["name"]
    assert service["spec"]["selector"] == {"job-name": job["metadata"]["name"]}
    index, *arguments = worker["args"]
    # Kubernetes sets it for an indexed job, and replaces it in arguments.
    assert index == "$(JOB_COMPLETION_INDEX)"
    _, (config, line) = shell(str(count - 1), *arguments)
    (port,) = (entry["containerPort"] for entry in worker["ports"])
    names = [f"{job['metadata']['name']}-{number}" for number in range(count)]
    addresses = [f"{name}.{pod['subdomain']}:{port}" for name in names]
    assert json.loads(config)["cluster"]["worker"] == addresses
    assert service["spec"]["ports"] == [{"port": port}]
    flags = [argument.removeprefix("--").partition("=")[0] for argument in line.split()[1:]]
    assert set(flags) - OF_A_RUN <= set(vars(Recipe()))


def test_the_job_starts_stopped_workers_and_its_folders_are_on_the_claim():
    parts = parts_of("kubernetes.yaml")
    pod = parts["Job"]["spec"]["template"]["spec"]
    (worker,), (volume,), (mount,) = (
        pod["containers"],
        pod["volumes"],
        pod["containers"][0]["volumeMounts"],
    )
    assert pod["restartPolicy"] == "OnFailure" and parts["Job"]["spec"]["backoffLimit"] > 10
    claim = parts["PersistentVolumeClaim"]
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    assert volume["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    assert mount["name"] == volume["name"]
    folders = [a.partition("=")[2] for a in worker["args"] if a.startswith(("--data", "--workdir"))]
    assert len(folders) == 2 and all(f.startswith(mount["mountPath"] + "/") for f in folders)
