"""rankpose_tf.ablate whose trainings, which are processes of their own, have towers of one block.

    python -m tests.support.one_block_ablation FLAGS

The part is told by the variable RANKPOSE_ABLATION in the environment: the command, or its child.
"""

import os
import runpy

from rankpose_tf.studies import ablation_runs, child


def main():
    if "RANKPOSE_ABLATION" in os.environ:
        from tests.support.one_block import one_block_towers

        with one_block_towers():
            child.main()
    os.environ["RANKPOSE_ABLATION"] = "child"
    ablation_runs._CHILD = __spec__.name
    runpy.run_module("rankpose_tf.ablate", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
