# SPDX-License-Identifier: GPL-2.0
# identity.jq (after determinants.jq, in one program): of a manifest, what runs must have in common whose cells are to
# be one run's, as "path<TAB>value" lines.
{experiment, size, testbed, experiment_normal, fio_job, scripts, environment: (.environment | determinants)}
| paths(scalars) as $p | [($p | map(tostring) | join(".")), (getpath($p) | tojson)] | @tsv
