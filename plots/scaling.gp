# SPDX-License-Identifier: GPL-2.0-or-later
# A rate over the number of virtual CPUs, one panel for each workload, one line for each arm; rings are single boots.
#
# index 2 (panel * arms + arm): vCPUs, median, low, high
# and the one after it: vCPUs, median of one boot

stem = ARG1; format = ARG2
load 'style.gp'
load 'panels.gp'

set key at screen across(16), screen down(60) left top horizontal samplen 2 Left reverse
set xlabel 'vCPUs' tc rgb ink offset 0,0.3
set logscale x 2
set xrange [low_x / 1.25 : high_x * 1.25]
set xtics (low_x low_x)
do for [n in cpus] {
	set xtics add (n int(n))
}
# Arms at one place stand side by side.
beside(x, a) = x * (1 + 0.035 * (a - (arms - 1) / 2.0))

set multiplot
do for [i = 0 : panels - 1] {
	load 'place.gp'
	set ylabel unit[i + 1] tc rgb ink
	set yrange [0 : high_y[i + 1] * 1.08]
	set format y '%.3s %c'
	plot for [a = 0 : arms - 1] data index 2 * (i * arms + a) + 1 using (beside($1, a)):2 \
			with points pt 6 ps 0.5 * dot lc rgb soft notitle, \
		for [a = 0 : arms - 1] data index 2 * (i * arms + a) using (beside($1, a)):2:3:4 \
			with yerrorbars pt 0 lw 1.5 lc rgb colour(a) notitle, \
		for [a = 0 : arms - 1] data index 2 * (i * arms + a) using (beside($1, a)):2 \
			with linespoints pt point(a) ps 1.1 * dot lw 1.5 lc rgb colour(a) title arm[a + 1]
}
unset multiplot
