# SPDX-License-Identifier: GPL-2.0-or-later
# A series' published curves (open symbols, thin) beside ours (filled, with intervals), each as a multiple of its own
# value at the first x that all have: machines differ, shapes may be compared.
#
# index 2 column: x, published multiple
# index 2 column + 1: x, our multiple, low, high

stem = ARG1; format = ARG2
load 'style.gp'

set lmargin at screen across(84)
set rmargin at screen across(width - 260)
set tmargin at screen down(66)
set bmargin at screen down(height - 76)
set label 1 xtitle at screen across((84 + width - 260) / 2.0), screen down(height - 36) center tc rgb ink
set ylabel ytitle tc rgb ink
set logscale x 2
set xrange [low_x / 1.15 : high_x * 1.15]
set xtics (low_x low_x)
do for [x in tics] {
	set xtics add (x real(x))
}
set yrange [0 : high_y * 1.08]
set format y '%g'
set key textcolor rgb ink at screen across(width - 244), screen down(70) left top vertical samplen 2 Left reverse spacing 1.3
set arrow 1 from graph 0, first 1 to graph 1, first 1 nohead lc rgb soft dt 2 back
array open_point[8] = [6, 8, 4, 12, 10, 6, 8, 4]

plot for [k = 0 : columns - 1] data index 2 * k using 1:2 with lines lw 0.8 dt 2 lc rgb colour(side[k + 1]) notitle, \
	for [k = 0 : columns - 1] data index 2 * k using 1:2 with points pt open_point[side[k + 1] % 8 + 1] \
		ps 0.9 * dot lc rgb colour(side[k + 1]) title name[k + 1].', published', \
	for [k = 0 : columns - 1] data index 2 * k + 1 using 1:2:3:4 with yerrorbars pt 0 lw 1.5 \
		lc rgb colour(side[k + 1]) notitle, \
	for [k = 0 : columns - 1] data index 2 * k + 1 using 1:2 with lines lw 2 lc rgb colour(side[k + 1]) notitle, \
	for [k = 0 : columns - 1] data index 2 * k + 1 using 1:2 with points pt point(side[k + 1]) \
		ps 1.2 * dot lc rgb colour(side[k + 1]) title name[k + 1].', ours'
