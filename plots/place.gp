# SPDX-License-Identifier: GPL-2.0-or-later
# Puts the next plot where panel i belongs, its title above it and the text "ylabel" beside its axis. See panels.gp.

x0 = (i % columns) * panel_width
y0 = top + int(i / columns) * panel_height
set lmargin at screen across(x0 + 76)
set rmargin at screen across(x0 + panel_width - 6)
set tmargin at screen down(y0 + 24)
set bmargin at screen down(y0 + panel_height - 52)
set label 1 panel[i + 1] at screen across(x0 + 76), screen down(y0 + 10) left tc rgb ink
set label 2 ylabel at screen across(x0 + 12), screen down(y0 + 0.5 * (panel_height - 28)) center rotate by 90 tc rgb ink
if (i > 0) {
	# The page has one title and one key.
	do for [tag = 1001 : 1010 + 2 * arms] {
		unset label tag
	}
}
