# SPDX-License-Identifier: GPL-2.0-or-later
# Latency by percentile, one panel for each cell, one line for each arm from the merged histograms of all its boots;
# rings are single boots. The axis gives each further nine the same room: x = -log10(1 - percentile).
#
# index 2 (panel * arms + arm): x, latency in us
# and the one after it: x, latency of one boot in us

stem = ARG1; format = ARG2
load 'style.gp'
load 'panels.gp'

set xlabel 'percentile' tc rgb ink offset 0,0.3
set xtics ('0' 0, '50' 0.30103, '90' 1, '99' 2, '99.9' 3, '99.99' 4, '99.999' 5)
set logscale y
set format y '%g'
beside(x, a) = x + 0.02 * (a - (arms - 1) / 2.0)

set multiplot
do for [i = 0 : panels - 1] {
	ylabel = 'latency, us'
	load 'place.gp'
	set xrange [0 : high_x[i + 1] * 1.02]
	set yrange [low_y[i + 1] / 1.15 : high_y[i + 1] * 1.15]
	set ytics (low_y[i + 1] < 1 ? 0.1 : 1)
	do for [e = -4 : 9] {
		do for [m in log10(high_y[i + 1] / low_y[i + 1]) > 2.5 ? '1' : '1 2 5'] {
			set ytics add (m * 10.0 ** e)
		}
	}
	plot for [a = 0 : arms - 1] data index 2 * (i * arms + a) + 1 using (beside($1, a)):2 \
			with points pt 6 ps ring lc rgb colour(a) notitle, \
		for [a = 0 : arms - 1] data index 2 * (i * arms + a) using 1:2 \
			with lines lw 1.5 lc rgb colour(a) notitle, \
		for [a = 0 : arms - 1] data index 2 * (i * arms + a) every 6::(2 * a % 6) using 1:2 \
			with points pt point(a) ps 0.7 * dot lc rgb colour(a) notitle
}
unset multiplot
