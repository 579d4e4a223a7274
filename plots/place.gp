# SPDX-License-Identifier: GPL-2.0-or-later
# Puts the next plot where panel i belongs, with its title above it. See panels.gp.

x0 = (i % columns) * panel_width
y0 = top + int(i / columns) * panel_height
set lmargin at screen across(x0 + 84)
set rmargin at screen across(x0 + panel_width - 12)
set tmargin at screen down(y0 + 24)
set bmargin at screen down(y0 + panel_height - 52)
set label 1 panel[i + 1] at screen across(x0 + 84), screen down(y0 + 10) left tc rgb ink font ',12'
if (i > 0) {
	# The page has one title and one key.
	unset label 1001
	unset label 1002
	unset label 1003
	unset key
}
