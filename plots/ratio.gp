# SPDX-License-Identifier: GPL-2.0-or-later
# Effect of each arm on each cell: estimate and interval in the verdict's colour and shape, a ring for each block.
#
# index 0: row, ratio, low, high, verdict (0 same, 1 improvement, 2 regression, 3 changed, 4 unclear), and in
#          words: effect, interval, verdict
# index 1: row, name of the row
# index 2: row, ratio of one block
# index 3: row, heading

stem = ARG1; format = ARG2
load 'style.gp'

# Far effects beside small ones: the axis is linear within the threshold and logarithmic far from it.
f(r) = r > 0 ? (wide ? asinh(log(r) / threshold) : 100 * (r - 1)) : NaN

set lmargin at screen across(left)
set rmargin at screen across(width - right)
set tmargin at screen down(64)
set bmargin at screen down(height - 84)
set border 1
unset key
unset ytics
set yrange [rows - 0.4 : -0.6]
set xrange [f(low) : f(high)]
set grid x noy

# Tics from the middle outwards, where there is room for their text.
gap = (f(high) - f(low)) * 48.0 / (width - left - right)
set xtics ('0' 0)
do for [side in '1 -1'] {
	last = 0
	do for [p in steps] {
		r = 1 + side * p / 100.0
		# 75 and 90 % are steps towards nothing at all; upwards nobody counts so.
		down_only = p eq '75' || p eq '90'
		if (r > 0 && !(side > 0 && down_only) && abs(f(r) - last) >= gap && f(r) >= f(low) && f(r) <= f(high)) {
			set xtics add ((side > 0 ? '+' : '-').p f(r))
			last = f(r)
		}
	}
}
set object 1 rectangle from f(1 - threshold), graph 0 to f(1 + threshold), graph 1 fc rgb band fs solid noborder behind
set arrow 1 from 0, graph 0 to 0, graph 1 nohead lc rgb ink lw 1 back
set label 1 xtitle at screen across((left + width - right) / 2.0), screen down(height - 43) center tc rgb ink
set label 2 left_means at screen across(left), screen down(height - 24) left tc rgb soft
set label 3 right_means at screen across(width - right), screen down(height - 24) right tc rgb soft

plot data index 2 using (f($2)):($1 + 0.26) with points pt 6 ps ring lc rgb soft, \
	data index 0 using (f($2)):1:(f($3)):(f($4)):(vcolour($5)) with xerrorbars pt 0 lw 2 lc rgb variable, \
	data index 0 using (f($2)):1:(vpoint($5)):(vcolour($5)) with points pt variable ps 1.2 * dot lc rgb variable, \
	data index 0 using (f(high)):1:6 with labels right offset screen across(78),0 tc rgb ink, \
	data index 0 using (f(high)):1:7 with labels left offset screen across(90),0 tc rgb soft, \
	data index 0 using (f(high)):1:8:(vcolour($5)) with labels left offset screen across(right - 116),0 tc rgb variable, \
	data index 1 using (f(low)):1:2 with labels right offset screen across(-12),0 tc rgb ink, \
	data index 3 using (f(low)):1:2 with labels right offset screen across(-12),0 tc rgb soft
