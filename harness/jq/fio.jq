# SPDX-License-Identifier: GPL-2.0
# fio.jq: what fio measured in one cell, as one tab-separated line: directory, error, requests,
# bytes, IOPS, run time in ms, latency in us: mean, p50, p99.
.jobs[0] as $job
| ($job | if .write.total_ios > .read.total_ios then .write else .read end) as $io
| [(input_filename | split("/")[-2]), $job.error,
	$job.read.total_ios + $job.write.total_ios,
	$job.read.io_bytes + $job.write.io_bytes,
	$job.read.iops + $job.write.iops,
	$io.runtime,
	$io.lat_ns.mean / 1000,
	($io.lat_ns.percentile["50.000000"] // 0) / 1000,
	($io.lat_ns.percentile["99.000000"] // 0) / 1000] | @tsv
