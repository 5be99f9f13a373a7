# SPDX-License-Identifier: GPL-2.0
#
# stages.awk: what one request at a time took, from the traces of both domains (harness/guest/cell-trace), the
# application domain's first; -v unit: nanoseconds of a unit of their clocks. Prints NAME<TAB>VALUE: how many requests both
# traces have whole, and means in ns:
#
#	submit      from the block layer's issue to the request in the ring
#	there       from there until the back end has it; there_min: the least
#	there_bell  of it, until the back end's upcall, 0 where there was none
#	back        the back end's own time        device  the device's
#	again, again_min, again_bell               the same for the response
#	complete    from the response taken to the block layer's completion
#
# Each domain has a clock of its own, which go at one rate: "there" and "again" (and the bells) are off by the same unknown
# number, with opposite signs; breakdown.awk finds it.

# event: take a line of the trace apart: time, name, rest.
function event(    part) {
	if (!match($0, /[0-9][0-9.]*: (iddr|block)_[a-z_]+: /))
		return 0
	split(substr($0, RSTART, RLENGTH), part, ": ")
	time = part[1] * unit
	name = part[2]
	rest = substr($0, RSTART + RLENGTH)
	return 1
}

FNR == 1 { file++ }
!event() { next }
file == 1 && name == "block_rq_issue" { issued = time }
file == 1 && name == "iddr_request" && rest ~ / front / {
	front++
	f_issued[front] = issued
	f_request[front] = time
}
file == 1 && name == "iddr_upcall" && front && !(front in f_response) { f_upcall[front] = time }
file == 1 && name == "iddr_response" && rest ~ / front / && front { f_response[front] = time }
file == 1 && name == "block_rq_complete" && front { f_complete[front] = time }

file == 2 && name == "iddr_upcall" {
	upcall = time
	has_upcall = 1
}
file == 2 && name == "iddr_request" && rest ~ / back / {
	back++
	b_request[back] = time
	if (has_upcall)
		b_upcall[back] = upcall
	has_upcall = 0
}
file == 2 && name == "block_bio_queue" && back { b_queue[back] = time }
file == 2 && name == "block_bio_complete" && back && (back in b_queue) { b_complete[back] = time }
file == 2 && name == "iddr_response" && rest ~ / back / && back { b_response[back] = time }

END {
	# The buffers begin at different requests and end at the same.
	for (i = 0; i < front - 1 && i < back - 1; i++) {
		f = front - i
		b = back - i
		if (!(f in f_response) || !(f in f_complete) || f_issued[f] == "" || !(b in b_response))
			continue
		n++
		there = b_request[b] - f_request[f]
		again = f_response[f] - b_response[b]
		sum["submit"] += f_request[f] - f_issued[f]
		sum["there"] += there
		sum["again"] += again
		if (b in b_upcall) {
			sum["there_bell"] += b_upcall[b] - f_request[f]
			bells_there++
		}
		if (f in f_upcall) {
			sum["again_bell"] += f_upcall[f] - b_response[b]
			bells_again++
		}
		device = (b in b_queue) ? ((b in b_complete) ? b_complete[b] : b_response[b]) - b_queue[b] : 0
		sum["device"] += device
		sum["back"] += b_response[b] - b_request[b] - device
		sum["complete"] += f_complete[f] - f_response[f]
		if (n == 1 || there < least["there"])
			least["there"] = there
		if (n == 1 || again < least["again"])
			least["again"] = again
	}
	printf "requests\t%d\n", n
	if (!n)
		exit 0
	count = split("submit there back device again complete", names, " ")
	for (i = 1; i <= count; i++)
		printf "%s\t%.0f\n", names[i], sum[names[i]] / n
	printf "there_min\t%.0f\nagain_min\t%.0f\n", least["there"], least["again"]
	printf "there_bell\t%.0f\nthere_bells\t%d\n", bells_there ? sum["there_bell"] / bells_there : 0, bells_there
	printf "again_bell\t%.0f\nagain_bells\t%d\n", bells_again ? sum["again_bell"] / bells_again : 0, bells_again
}
