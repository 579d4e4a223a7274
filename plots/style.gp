# SPDX-License-Identifier: GPL-2.0-or-later
# What all figures share: terminal, palette, fonts, the executor in the corner.
#
# A figure is drawn by "gnuplot -d -c SCRIPT.gp FOLDER/STEM svg|png" in this folder: FOLDER/STEM.gp sets its texts
# and its size in pixels, FOLDER/STEM.dat holds its data (tab-separated, one index a part), and FOLDER/STEM.svg or
# .png (twice as large, for sharp screens) comes out. Texts come from matrix files: they are shown as they are
# (noenhanced) and never evaluated.

load stem.'.gp'
data = stem.'.dat'

# Pixels from the left and from the top -> screen coordinates: terminals disagree on the width of a character.
across(px) = px / real(width)
down(px) = 1 - px / real(height)

# Okabe and Ito's palette, told apart by colour-blind readers; arms differ in the shape of their points, too.
ink = '#222222'; soft = '#666666'; rule = '#dddddd'; band = '#e8edf2'; paper = '#ffffff'
array arm_colour[8] = [0x0072b2, 0xd55e00, 0x009e73, 0xcc79a7, 0xe69f00, 0x56b4e9, 0x882255, 0x666666]
array arm_point[8] = [7, 9, 5, 13, 11, 6, 8, 4]
# Verdicts: 0 same, 1 improvement, 2 regression, 3 changed, 4 unclear.
array verdict_colour[5] = [0x0072b2, 0x009e73, 0xd55e00, 0xcc79a7, 0x8a6d00]
array verdict_point[5] = [7, 9, 11, 13, 12]
vcolour(v) = verdict_colour[int(v) + 1]
vpoint(v) = verdict_point[int(v) + 1]
colour(a) = arm_colour[int(a) % 8 + 1]
point(a) = arm_point[int(a) % 8 + 1]

if (format eq 'png') {
	set terminal pngcairo size 2*width,2*height font 'DejaVu Sans,9' fontscale 2 linewidth 2 pointscale 2 \
		background paper noenhanced
	dot = 1.0; ring = 0.5 # sizes of points, and of those that stand for single boots
} else {
	set terminal svg size width,height dynamic font 'DejaVu Sans,12' background paper noenhanced
	dot = 0.62; ring = 0.55
}
set output stem.'.'.format
set encoding utf8
set datafile separator tab
set datafile missing 'nan'

set border 3 lc rgb ink lw 1
set tics nomirror out scale 0.5 textcolor rgb ink
set grid lc rgb rule lw 1 lt 1, lc rgb rule lw 1 lt 1
set errorbars 0.6
set pointintervalbox 0 # no patch of paper below the middle of an interval

# Title at the top left; what it was measured with in the corner. Labels with tags from 1000 on belong to the page.
set label 1001 title at screen across(16), screen down(20) left font ',15' tc rgb ink front
set label 1002 subtitle at screen across(16), screen down(42) left tc rgb soft front
set label 1003 executor at screen across(width - 14), screen down(height - 12) right tc rgb soft front
