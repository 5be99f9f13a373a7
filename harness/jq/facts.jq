# SPDX-License-Identifier: GPL-2.0
# SPDX-License-Identifier: GPL-2.0
#
# facts.jq: "kind name value" lines, tab-separated, as one object. Read with -Rn.

reduce (inputs | split("\t")) as [$kind, $name, $value] ({ modules: {}, configs: {} };
	if $kind == "module" then .modules[$name] = $value
	elif $kind == "config" then .configs[$name].text = ($value | fromjson)
	elif $kind == "config_sha256" then .configs[$name].sha256 = $value
	elif $value == "true" or $value == "false" then .[$name] = ($value == "true")
	elif $name == "host_cores" then .[$name] = ($value | tonumber)
	else .[$name] = $value end)
