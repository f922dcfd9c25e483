"""A browser, Node.js, and the exported page on a local server; skipped where they are absent."""

import contextlib
import functools
import http.server
import json
import pathlib
import shutil
import subprocess
import threading

import pytest

HERE = pathlib.Path(__file__).resolve().parent
SOURCES = HERE.parents[1] / "export/web"
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_SECONDS = 240


class _Quiet(http.server.SimpleHTTPRequestHandler):
    """What `python -m http.server` runs, without its lines on standard error."""

    def log_message(self, *_):
        pass


@pytest.fixture(scope="session")
def node():
    """Function (script, argument) -> what the script answers, both JSON."""
    program = shutil.which("node")
    if program is None:
        pytest.skip("Node.js is absent: no program node")

    def run(script, argument):
        done = subprocess.run(
            [program, HERE / script],
            input=json.dumps(argument),
            capture_output=True,
            text=True,
            timeout=_SECONDS,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout)

    return run


@pytest.fixture(scope="session")
def packages():
    """The folder of the npm packages."""
    if not (SOURCES / "node_modules/@litertjs/core/package.json").is_file():
        pytest.skip("the page's packages are absent: npm ci in export/web")
    return SOURCES / "node_modules"


@pytest.fixture(scope="session")
def browser(packages):
    """Path of a Chromium."""
    if not (packages / "playwright-core").is_dir():
        pytest.skip("playwright-core is absent: npm ci in export/web")
    found = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if found is None:
        pytest.skip("no Chromium: apt-get install chromium")
    return found


@pytest.fixture(scope="session")
def page(packages, tmp_path_factory):
    """Folder of the page with the model of the package, as the command exports it."""
    from rankpose_tf.exporting import run as exporting
    from rankpose_tf.models import shipped

    folder = tmp_path_factory.mktemp("page")
    exporting.export(model=shipped.path("compact"), out=folder, formats=["web"], time_files=False)
    return folder


@contextlib.contextmanager
def served(folder):
    """Yields the address of a static server of a folder."""
    handler = functools.partial(_Quiet, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        # By name: browsers trust it with the camera.
        yield f"http://localhost:{server.server_address[1]}/"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="session")
def address(page):
    """Where the page is served."""
    with served(page) as url:
        yield url


@pytest.fixture(scope="session")
def visit(node, browser, address):
    """Function (scenario, **arguments) -> what tests/web/scenarios.mjs found on the page."""

    def run(scenario, **arguments):
        given = {"scenario": scenario, "browser": browser, "url": address, **arguments}
        return node("scenarios.mjs", given)

    return run
