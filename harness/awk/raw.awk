# SPDX-License-Identifier: GPL-2.0
#
# raw.awk: for the programs that read the raw data of cells: what the snapshots hold. Files:
#
#	meta.tsv   from cell.jq, first
#	DIR/run.txt DIR/storage.txt DIR/cpu.txt ...
#
# Then delta(cell, source, name, from, to) is how much a counter moved between two snapshots. A counter of
# our pair is the sum over all queues of the disk; what begins with rivals_ is that of the other application domains' disks.

FNR == 1 {
	nfile++
	nparts = split(FILENAME, path, "/")
	cell = path[nparts - 1]
	source = path[nparts]
	sub(/\.txt$/, "", source)
	part = ""
}

# meta.tsv
nfile == 1 {
	order[++ncells] = $1
	meta[$1] = $2 OFS $3 OFS $4 OFS $5 OFS $6 OFS $7 OFS $8 OFS $9 OFS $10 OFS $11 OFS $12 OFS $13 OFS $14
	front[$1] = $6; back[$1] = $7; data[$1] = $8; rw[$1] = $10; queues[$1] = $14
	boot[$1] = $15; disk[$1] = $16; devid[$1] = $17; runtime_s[$1] = $18
	domains[$1] = 1 + split($19, list, " ")
	for (i = 1; i < domains[$1]; i++)
		rival[$1, list[i]] = i + 1
	next
}

# cpu.txt: PHASE.ID, time, domain number, name, nanoseconds
source == "cpu" {
	sub(/\..*/, "", $1)
	seen[cell, "cpu", $1] = 1
	who = $4 == "Domain-0" ? "dom0" : $4 == "iddr-app" ? "app" : $4 == "iddr-storage" ? "storage" : $4
	sum[cell, "cpu", $1, who] = $5
	sum[cell, "cpu", $1, "time"] = $2
	next
}

/^@ / {
	split($0, word, " ")
	part = word[2]
	seen[cell, source, part] = 1
	if (part == "exit" && source == "run")
		status[cell] = word[3]
	else if (part == "exit" && word[3] != 0)
		rival_failed[cell] = source
	next
}

part == "kernel" {
	if (/BUG:|WARNING:|Oops|Call Trace|general protection|lockup|LOCKUP|rcu.*(stall|starved)|blocked for more than|I\/O error|Out of memory|refcount_t|corruption|scheduling while atomic/ && !(cell in complaint))
		complaint[cell] = $0
	next
}

# Interrupts of event channels of block devices, and of the storage domain's device; the name ends the line in
# /proc/interrupts.
$1 ~ /^irq\// {
	if ($1 ~ /blkif|vbd|xvd|iddr/ && $1 !~ /agent/)
		sum[cell, source, part, "irq"] += $2
	if ($1 ~ /\/nvme[0-9]+q[0-9]+$/)
		sum[cell, source, part, "irq_device"] += $2
	next
}
$1 ~ /^disk\// {
	split($1, name, "/")
	if (name[2] == disk[cell]) {
		split($2, f, " ")
		sum[cell, source, part, "disk_ios"] = f[1] + f[5]
		sum[cell, source, part, "disk_sectors"] = f[3] + f[7]
	}
	next
}
$1 ~ /^(front|back)\// {
	n = split($1, name, "/")
	if (name[2] == disk[cell] || name[2] == devid[cell])
		sum[cell, source, part, name[1] "_" name[n]] += $2
	else if ((cell, name[2]) in rival) {
		sum[cell, source, part, "rivals_" name[n]] += $2
		sum[cell, source, part, "rival" rival[cell, name[2]] "_" name[n]] += $2
	}
	next
}
$1 == "ctxt" || $1 == "time" {
	sum[cell, source, part, $1] = $2
}

# delta: how much a counter moved between two snapshots; "" if it was not there.
function delta(c, src, name, from, to) {
	if (!((c, src, from, name) in sum) || !((c, src, to, name) in sum))
		return ""
	return sum[c, src, to, name] - sum[c, src, from, name]
}

# per_io: x per request, or - where there is no x.
function per_io(x, n) {
	return x == "" || n == 0 ? "-" : sprintf("%.4f", x / n)
}

# add: a + b, where either may be missing; "" if both are.
function add(a, b) {
	return a == "" && b == "" ? "" : a + b
}

