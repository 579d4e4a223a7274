# SPDX-License-Identifier: GPL-2.0-or-later
# The key of the arms below the subtitle. gnuplot's own breaks its lines by a guess at the width of a character.

unset key
do for [a = 0 : arms - 1] {
	set label 1010 + 2 * a '' at screen across(key_x[a + 1]), screen down(62 + key_y[a + 1]) \
		point pt point(a) ps 1.1 * dot lc rgb colour(a) front
	set label 1011 + 2 * a arm[a + 1] at screen across(key_x[a + 1] + 14), screen down(62 + key_y[a + 1]) left \
		tc rgb ink front
}
