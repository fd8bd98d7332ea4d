"""Run with a generated project's Python: many programs, each in a process of its own.

errors.py PACKAGE < cases, a JSON list of [folder, program] > [code, stdout, stderr] of each. The
libraries are imported once, before the processes are forked, as that takes longest.
"""

import json
import os
import runpy
import sys
from pathlib import Path

import pandas  # noqa: F401
import skl2onnx  # type: ignore[import-not-found]  # noqa: F401
import sklearn.linear_model  # type: ignore[import-not-found]  # noqa: F401

package, ended, child = sys.argv[1], [], ""
for folder, program in json.load(sys.stdin):
    out, err = Path(folder, "stdout"), Path(folder, "stderr")
    if process := os.fork():
        code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        ended.append((code, out.read_text(), err.read_text()))
        continue
    os.chdir(folder)
    for path, number in ((out, 1), (err, 2)):
        os.dup2(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC), number)
    sys.path.insert(0, f"{folder}/src")
    child = program
    break
if child:  # as `python -m` starts it, and outside of any `try`
    sys.argv = ["-m"]
    runpy.run_module(f"{package}.{child}", run_name="__main__", alter_sys=True)
else:
    print(json.dumps(ended))
