# SPDX-License-Identifier: GPL-2.0
#
# report-figure.awk (with html.awk): plots/NAME.gp and the SVG drawn by it as a figure of the page. The caption is what NAME.gp says of itself
# first; the drawing's names get the figure's before them, for all drawings share a page.
#
#	-v id=NAME -v label=TESTBED

FNR == 1 { file++ }

file == 1 {
	if (/^#/ && !said) {
		if (!/SPDX/)
			caption = caption substr($0, 2)
	} else
		said = 1
	next
}

FNR == 1 || (file == 2 && !begun && /<svg/) {
	begun = /<svg/
	if (begun) {
		sub("^ *" id "\\.gp: *", "", caption)
		printf "<figure id=\"figure-%s\">\n<svg role=\"img\" aria-labelledby=\"caption-%s\"\n", id, id
	}
	next
}

/^<(title|desc)>/ || /^ *xmlns(:xlink)?=/ { next }

{
	gsub(/ id=['"]/, "&" id "-")
	gsub(/xlink:href=/, "href=")
	gsub(/href=['"]#/, "&" id "-")
	gsub(/url\(#/, "&" id "-")
	print
}

END {
	printf "<figcaption id=\"caption-%s\"><b>%s.</b> %s <span class=\"label\">%s</span> <a href=\"#again-figures\">Draw it again</a></figcaption>\n</figure>\n", \
		id, html(id), html(toupper(substr(caption, 1, 1)) substr(caption, 2)), html(label)
}
