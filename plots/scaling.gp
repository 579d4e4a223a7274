# SPDX-License-Identifier: GPL-2.0-or-later
# A rate over the number of virtual CPUs, one panel for each workload, one line for each arm; rings are single boots.
#
# index 2 (panel * arms + arm): vCPUs, median, low, high
# and the one after it: vCPUs, median of one boot

stem = ARG1; format = ARG2
load 'style.gp'
load 'panels.gp'

set xlabel 'vCPUs' tc rgb ink offset 0,0.3
set logscale x 2
set xrange [low_x / 1.25 : high_x * 1.25]
set xtics (low_x low_x)
do for [n in cpus] {
	set xtics add (n int(n))
}
# Arms at one place stand side by side, and the boots of each beside it.
beside(x, a) = x * (1 + 0.04 * (a - (arms - 1) / 2.0))

set multiplot
do for [i = 0 : panels - 1] {
	high = high_y[i + 1]
	factor = high >= 2e6 ? 1e6 : high >= 2e3 ? 1e3 : 1
	ylabel = (factor == 1e6 ? 'million ' : factor == 1e3 ? 'thousand ' : '').unit[i + 1]
	load 'place.gp'
	set yrange [0 : high / factor * 1.08]
	set format y '%g'
	plot for [a = 0 : arms - 1] data index 2 * (i * arms + a) + 1 using (beside($1, a + 0.4)):($2 / factor) \
			with points pt 6 ps 0.9 * ring lc rgb colour(a) notitle, \
		for [a = 0 : arms - 1] data index 2 * (i * arms + a) \
			using (beside($1, a)):($2 / factor):($3 / factor):($4 / factor) \
			with yerrorbars pt 0 lw 1.5 lc rgb colour(a) notitle, \
		for [a = 0 : arms - 1] data index 2 * (i * arms + a) using (beside($1, a)):($2 / factor) \
			with lines lw 1.5 lc rgb colour(a) notitle, \
		for [a = 0 : arms - 1] data index 2 * (i * arms + a) using (beside($1, a)):($2 / factor) \
			with points pt point(a) ps 0.9 * dot lc rgb colour(a) notitle
}
unset multiplot
