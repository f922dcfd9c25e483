"""`rankpose COMMAND`, `python -m rankpose_tf COMMAND`: as `python -m rankpose_tf.COMMAND`."""

import difflib
import runpy
import sys

import rankpose_tf

COMMANDS = {
    "predict": "estimates head poses in pictures, folders, videos or from a camera",
    "score": "the same for very many pictures, on many machines, with Apache Beam",
    "prepare": "turns face data into shards for training and tests",
    "train": "trains a model; by default the paper's recipe",
    "train_error": "teaches a model to say how far its poses may be off",
    "evaluate": "tests a model on a prepared set",
    "export": "writes a model for TF Serving, phones, browsers, ONNX, OpenVINO",
    "benchmark": "measures speed: of training, of the estimator, of servers",
    "ablate": "trains and tests the cells of the paper's Table 3",
    "figures": "draws the paper's Figures 2 to 4 of trained models",
    "study": "measures what no other command asks of a model",
}


def main():
    """Runs the command that the first argument names; shows the commands where there is none."""
    arguments = sys.argv[1:]
    if not arguments or arguments[0] in ("help", "--help", "-help", "-h"):
        print(_overview())
        return
    if arguments[0] == "--version":
        print(f"rankpose_tf {rankpose_tf.__version__}")
        return
    if arguments[0] not in COMMANDS:
        sys.exit(f"error: {_unknown(arguments[0])}")
    sys.argv = [sys.argv[0], *arguments[1:]]
    # As the main module: that is what `python -m` runs, down to the names of its flags.
    runpy.run_module(f"rankpose_tf.{arguments[0]}", run_name="__main__", alter_sys=True)


def _overview():
    lines = [f"  {name:11} {what}" for name, what in COMMANDS.items()]
    return "\n".join(
        [
            "usage: rankpose COMMAND [flags]",
            "",
            "Head pose (yaw, pitch, roll) from one picture of a face.",
            "",
            *lines,
            "",
            "rankpose COMMAND --help shows the flags of a command, rankpose --version the version.",
        ]
    )


def _unknown(name):
    close = difflib.get_close_matches(name, COMMANDS, 1)
    hint = f"; did you mean {close[0]}?" if close else ""
    return f"command: expected one of {', '.join(COMMANDS)}, received {name!r}{hint}"


if __name__ == "__main__":
    main()
