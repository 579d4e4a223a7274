# SPDX-License-Identifier: GPL-2.0-or-later
# Which arm is best where: a line for each cell and metric, a column for each machine, in the colour of the arm whose
# interval lies beyond those of all others.
#
# index 0: column, row, arm (-1: none is), words
# index 1: row, its name
# index 2: column, its name

stem = ARG1; format = ARG2
load 'style.gp'
load 'key.gp'

set lmargin at screen across(left)
set rmargin at screen across(width - 16)
set tmargin at screen down(92 + key_height)
set bmargin at screen down(height - 30)
unset border
unset xtics
unset ytics
unset grid
set xrange [-0.5 : machines - 0.5]
set yrange [rows - 0.5 : -0.5]
set style fill transparent solid 0.3 noborder

plot data index 0 using 1:2:($1 - 0.48):($1 + 0.48):($2 - 0.44):($2 + 0.44):($3 < 0 ? 0xe8edf2 : colour($3)) \
		with boxxyerror lc rgb variable, \
	data index 0 using 1:2:4 with labels center tc rgb ink, \
	data index 1 using (-0.5):1:2 with labels right offset screen across(-10),0 tc rgb ink, \
	data index 2 using 1:(-0.5):2 with labels center offset screen 0,screen 1 - down(12) tc rgb soft
