# SPDX-License-Identifier: GPL-2.0-or-later
# A series patch by patch: one panel for each primary figure, in it the effect against the baseline after each patch, with its
# interval. The patch that moved it has its number and the verdict's colour. The patches' names stand above.
#
# index i, panel: patch (0: the baseline), effect, low, high, verdict on that patch alone (0: it moved nothing)

stem = ARG1; format = ARG2
load 'style.gp'

pcolour(v) = v == 0 ? 0x222222 : vcolour(v)
percent(r) = 100 * (r - 1)

panel_width = (width - 16) / real(columns)
panel_height = 250
top = 76 + 18 * lines
arms = steps / 2 + 1 # what place.gp takes away after the first panel: the page's texts
do for [k = 0 : steps - 1] {
	set label 1010 + k patch[k + 1] at screen across(24 + (width - 32) / 2.0 * int(k / lines)), \
		screen down(66 + 18 * (k % lines)) left tc rgb pcolour(guilt[k + 1]) front
}

unset key
ylabel = 'change against '.baseline.', %'
set xlabel 'patches applied' tc rgb ink offset 0,0.3
set xrange [-0.4 : steps + 0.4]
set xtics 0, steps > 20 ? 5 : steps > 10 ? 2 : 1
set multiplot
do for [i = 0 : panels - 1] {
	load 'place.gp'
	low = percent(low_y[i + 1]); high = percent(high_y[i + 1])
	set yrange [low - 0.08 * (high - low) : high + 0.12 * (high - low)]
	set object 1 rectangle from graph 0, first -100 * threshold to graph 1, first 100 * threshold fc rgb band \
		fs solid noborder behind
	plot 0 with lines lw 1 lc rgb soft, \
		data index i using 1:(percent($2)) with steps lw 1.5 lc rgb soft, \
		data index i using 1:(percent($2)):(percent($3)):(percent($4)):(pcolour($5)) \
			with yerrorbars pt 0 lw 1.5 lc rgb variable, \
		data index i using 1:(percent($2)):(vpoint($5)):(pcolour($5)) with points pt variable ps dot lc rgb variable, \
		data index i using 1:($5 > 0 ? percent($2) : NaN):(sprintf('%d', $1)):(pcolour($5)) \
			with labels left offset screen across(8),0 tc rgb variable
}
unset multiplot
