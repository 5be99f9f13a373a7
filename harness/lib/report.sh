# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# report.sh: one self-contained HTML page of a run: figures, tables, manifest, and what did not go as planned. It is a pure function of the
# run's manifest and tables.

# report_command ID WHAT COMMAND: a line of the list of commands.
report_command() {
	printf '<dt id="again-%s">%s</dt>\n<dd><code>%s</code></dd>\n' "$1" "$2" "$(jq -rn --arg s "$3" '$s | @html')"
}

# report_figures DIR EXPERIMENT WORK: the figures of a run, drawn anew, as HTML.
report_figures() {
	local name
	FIGURE_KINDS=svg PLOTS_OUT=$3 figures_draw "$1" "$2"
	find "$3/$2" -name '*.svg' -printf '%T@ %f\n' | sort -n | while read -r _ name; do
		name=${name%.svg}
		awk -v id="$name" -v label="$REPORT_LABEL" -f "$AWK/html.awk" -f "$AWK/report-figure.awk" "$IDDR_TOP/plots/$name.gp" "$3/$2/$name.svg"
	done
}

# report_table DIR NAME TITLE: a table of a run as HTML, if it has that table.
report_table() {
	[[ -s $1/$2.tsv ]] || return 0
	awk -v id="$2" -v title="$3" -v label="$REPORT_LABEL" -f "$AWK/html.awk" -f "$AWK/report-table.awk" "$1/$2.tsv"
}

# report_section ID TITLE: begin a section.
report_section() {
	printf '<section aria-labelledby="%s"><h2 id="%s">%s</h2>\n' "$1" "$1" "$2"
}

# report_again DIR EXPERIMENT RUN SIZE: the commands that make all of it again.
report_again() {
	local dir=$1 exp=$2 run=$3 size=$4 have pair
	if [[ $dir == "$IDDR_TOP"/results/reference/* ]]; then
		run=${dir#"$IDDR_TOP"/}
	fi
	printf '<dl>\n'
	report_command run "Measure it" "make experiment EXP=$exp${size:+ SIZE=$size}"
	report_command figures "Draw the figures" "make figures EXP=$exp RUN=$run"
	have=$(modes_in "$dir")
	if [[ " $have " == *" event "* && " $have " == *" spin "* ]]; then
		pair="event spin"
	else
		pair=$(cut -d " " -f 1,2 <<<"$have")
	fi
	[[ $pair != *" "* ]] || report_command ratios "Ratios of any two modes, with a verdict" "make compare A=${pair% *} B=${pair#* } EXP=$exp RUN=$run"
	report_command claims "Check the claims about it" "make claims EXP=$exp RUN=$run"
	report_command report "This page" "make report EXP=$exp RUN=$run"
	printf '</dl>\n'
}

# report_page DIR WORK: the page, on standard output.
report_page() {
	local dir=$1 work=$2 exp='' run='' size='' testbed planned='' lead='' rows notes
	REPORT_LABEL='no testbed'
	exp=$(basename -- "$dir")
	if [[ -s $dir/manifest.json ]]; then
		{ read -r exp; read -r run; read -r size; read -r planned; } < <(jq -r '.experiment, .run, (.size // ""),
			([.experiment_normal // "" | splits("\n") | select(startswith("reps\t")) | split("\t")[1]] | first // "")' "$dir/manifest.json")
		lead=$(jq -r '[.experiment_text | splits("\n")] as $l | ([$l[] | startswith("#") and . != "#"] | index(false)) as $n
			| $l[:$n] | map(ltrimstr("#") | ltrimstr(" ")) | join(" ") | sub("^[a-z0-9-]+: *"; "") | (.[:1] | ascii_upcase) + .[1:] | @html' "$dir/manifest.json")
	fi
	testbed=$(awk -F '\t' 'NR == 1 && $1 != "testbed" { exit } NR == 2 { print $1 }' "$dir/summary.tsv")
	[[ -z $testbed ]] || REPORT_LABEL=$(figure_title "$testbed")
	rows=$(($(wc -l <"$dir/summary.tsv") - 1))

	printf '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8"/>\n<meta name="viewport" content="width=device-width, initial-scale=1"/>\n'
	printf '<title>%s, %s (%s)</title>\n<style>/*<![CDATA[*/\n' "$exp" "${run:-no run}" "$REPORT_LABEL"
	cat -- "$IDDR_TOP/harness/report/report.css"
	printf '/*]]>*/</style>\n</head>\n<body>\n<header><div><h1>IDDR: %s</h1> <span class="label">%s</span>\n' "$exp" "$REPORT_LABEL"
	printf '<nav aria-label="Sections"><a href="#summary-of">Run</a> <a href="#figures">Figures</a> <a href="#tables">Tables</a> <a href="#manifest">Manifest</a> <a href="#again">Commands</a></nav></div></header>\n<main>\n'

	report_section summary-of "Run ${run:-}"
	[[ -z $lead ]] || printf '<p class="lead">%s</p>\n' "$lead"
	printf '<ul class="notes">\n'
	case $testbed in
	tcg) printf '<li class="note"><b>Emulated (TCG).</b> Counts are exact and ratios within a repetition are measurements of this testbed; absolute times are not evidence of anything.</li>\n' ;;
	esac
	if [[ -s $dir/cells.tsv ]]; then
		notes=$(awk -v planned="$planned" -f "$AWK/stats.awk" -f "$AWK/table.awk" -f "$AWK/html.awk" -f "$AWK/report-notes.awk" "$dir/cells.tsv")
		printf '%s\n' "$notes"
	fi
	if [[ -s $dir/manifest.json ]]; then
		jq -r -f "$JQ/report-notes.jq" "$dir/manifest.json"
	else
		printf '<li class="bad">There is no manifest: what was measured, and with what, is not recorded.</li>\n'
	fi
	printf '</ul>\n</section>\n'

	report_section figures Figures
	if [[ -n $testbed ]] && ((rows)); then
		printf '<div class="figures">\n'
		report_figures "$dir" "$exp" "$work"
		printf '</div>\n'
	else
		printf '<p>There is nothing to draw.</p>\n'
	fi
	printf '</section>\n'

	report_section tables Tables
	report_table "$dir" summary 'Medians [quartiles]'
	if [[ -s $dir/ratios.tsv ]]; then
		printf '%s\n' '<h3>Ratios</h3>' '<p>Medians of the ratios within repetitions, with their 95 % intervals.' \
			'▲ and ▼ stand where at least five repetitions have an interval without 1, which shows a difference, green for the better, red for the worse; no mark: none is shown.</p>'
		awk -v label="$REPORT_LABEL" -f "$AWK/html.awk" -f "$AWK/stats.awk" -f "$AWK/report-ratios.awk" "$dir/ratios.tsv"
	fi
	report_table "$dir" counts 'Counts for one request'
	report_table "$dir" stages "Where a request's time goes (with tracing)"
	report_table "$dir" hypercalls 'Hypercalls and domain switches'
	if [[ -s $dir/cells.tsv ]]; then
		printf '<h3>Cells</h3>\n<details><summary>Every measurement <span class="count">%d rows</span></summary>\n' "$(($(wc -l <"$dir/cells.tsv") - 1))"
		report_table "$dir" cells 'Cells'
		printf '</details>\n'
	fi
	printf '</section>\n'

	report_section manifest Manifest
	[[ ! -s $dir/manifest.json ]] || jq -r -f "$JQ/report-manifest.jq" "$dir/manifest.json"
	printf '</section>\n'

	report_section again Commands
	[[ ! -s $dir/manifest.json ]] || report_again "$dir" "$exp" "$run" "$size"
	printf '</section>\n</main>\n<script>/*<![CDATA[*/\n'
	cat -- "$IDDR_TOP/harness/report/report.js"
	printf '/*]]>*/</script>\n</body>\n</html>\n'
}

# help: report [--exp NAME] [--out FILE] [RUN] -- one HTML page of a run: figures, tables, manifest; written beside its tables
cmd_report() {
	local exp=${EXP:-quick} run=${RUN:-} given='' out='' dir work
	while (($#)); do
		case $1 in
		--exp | --out)
			(($# > 1)) || usage_error "report: $1 wants a name"
			if [[ $1 == --exp ]]; then exp=$2; else out=$2; fi
			shift 2
			;;
		-*) usage_error "report: unknown option '$1'; usage: report [--exp NAME] [--out FILE] [RUN]" ;;
		*)
			[[ -z $given ]] || usage_error "report: one run at a time, not '$given' and '$1'"
			run=$1 given=$1
			shift
			;;
		esac
	done
	need jq jq
	dir=$(run_dir "$exp" "$run")
	[[ -s $dir/summary.tsv ]] || die "$dir has no summary.tsv; run 'harness/iddr derive'"
	out=${out:-$dir/report.html}
	work=$(mktemp -d)
	# shellcheck disable=SC2064 # the directory of now
	defer "rm -rf -- '$work'"
	report_page "$dir" "$work" >"$work/report.html"
	cp -- "$work/report.html" "$out" || die "cannot write $out; name another place with --out"
	note "the report of $dir is $out"
}
