"""Settings of every test: one thread a process, because tests run side by side and some fork.

A process whose OpenMP threads are running cannot be forked safely; with one thread there are none.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = "1"
