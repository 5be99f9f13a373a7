# SPDX-License-Identifier: GPL-2.0
#
# stub-symbols.awk: from 'readelf -W --dyn-syms PROGRAM', write the source of a
# shared library that stands in for one PROGRAM needs but the testbed never
# uses (fio's Ceph and RDMA engines, perf's script interpreters): the dynamic
# linker is happy, and 60 libraries are neither stored nor relocated at each
# start under emulation. A call into the stand-in dies by an illegal instruction.
#
# -v symbols=REGEX the symbols that this library is to define
# -v out=asm|map  assembler source, or the linker's version script

{
	size = $3; type = $4; ndx = $7; name = $8
	version = ""
	at = index(name, "@")
	if (at) {
		version = substr(name, at + 1)
		sub(/^@/, "", version)
		name = substr(name, 1, at - 1)
	}
	if (name !~ symbols)
		next
	if (version != "")
		versions[version] = 1
	if (out == "map")
		next
	# A copy-relocated object is defined by the program and has its size there.
	bytes = (type == "OBJECT" && size + 0 > 0) ? size + 0 : 64
	id = "stub_" ++n
	printf "%s\n.globl %s\n.type %s, @%s\n.size %s, %d\n%s:\n", \
		type == "OBJECT" ? ".data\n.balign 32" : ".text", \
		version == "" ? name : id, version == "" ? name : id, \
		type == "OBJECT" ? "object" : "function", \
		version == "" ? name : id, bytes, version == "" ? name : id
	if (type == "OBJECT")
		printf "\t.zero %d\n", bytes
	else
		printf "\tud2\n\t.zero 62\n"
	if (version != "")
		printf ".symver %s, %s@@%s\n", id, name, version
}

END {
	if (out == "asm")
		print ".section .note.GNU-stack,\"\",@progbits"
	else
		for (v in versions)
			printf "%s { };\n", v
}
