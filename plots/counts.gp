# SPDX-License-Identifier: GPL-2.0-or-later
# A count an operation, by cell and arm: median and interval in the arm's colour and shape, a ring for each boot.
#
# index 0: row, arm, median, low, high, the median in words
# index 1: row, arm, median of one boot
# index 2: row, name of the cell

stem = ARG1; format = ARG2
load 'style.gp'
load 'key.gp'

# Counts far apart: the axis is linear below the smallest of them, so that 0 is on it, and logarithmic far above.
f(v) = wide ? asinh(v / smallest) : v

right = 96
set lmargin at screen across(left)
set rmargin at screen across(width - right)
set tmargin at screen down(68 + key_height)
set bmargin at screen down(height - 70)
set border 1
unset ytics
set yrange [rows - 0.4 : -0.6]
set xrange [0 : f(largest) * 1.04]
set grid x noy
if (wide) {
	gap = f(largest) * 1.04 * 56.0 / (width - left - right)
	last = 0
	set xtics ('0' 0)
	do for [e = floor(log10(smallest)) : ceil(log10(largest))] {
		if (f(10.0 ** e) - last >= gap) {
			set xtics add ((e < -3 ? sprintf('1e%d', e) : sprintf('%g', 10.0 ** e)) f(10.0 ** e))
			last = f(10.0 ** e)
		}
	}
} else {
	set format x '%g'
}
set arrow 1 from 0, graph 0 to 0, graph 1 nohead lc rgb ink lw 2 back
set label 1 xtitle at screen across((left + width - right) / 2.0), screen down(height - 32) center tc rgb ink

# A thin rule parts one cell from the next.
do for [i = 1 : rows - 1] {
	set arrow 1 + i from graph 0, first i - 0.5 to graph 1, first i - 0.5 nohead lc rgb rule lw 0.5 back
}

plot data index 1 using (f($3)):1 with points pt 6 ps ring lc rgb soft, \
	data index 0 using (f($3)):1:(f($4)):(f($5)):(colour($2)) with xerrorbars pt 0 lw 2 lc rgb variable, \
	data index 0 using (f($3)):1:(point($2)):(colour($2)) with points pt variable ps 1.1 * dot lc rgb variable, \
	data index 0 using (f(largest) * 1.04):1:6:(colour($2)) with labels left offset screen across(12),0 \
		tc rgb variable, \
	data index 2 using (0):1:2 with labels right offset screen across(-12),0 tc rgb ink
