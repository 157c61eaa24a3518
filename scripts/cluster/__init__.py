"""Jobs on Dask's workers: on this machine, or on a cluster of several.

`open_cluster` (opening.py) gives a `Cluster` (running.py), whose `run` hands out a job
and returns what came of it. Dask alone decides which worker runs which job, and when;
docs/decisions/0015-a-cluster.md says how that is used.
"""
