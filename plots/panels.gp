# SPDX-License-Identifier: GPL-2.0-or-later
# A page of small figures beside and below each other, under one key. The script that loads this goes through them
# by "do for [i = 0 : panels - 1] { ylabel = ...; load 'place.gp'; ... }".

load 'key.gp'
panel_width = (width - 16) / real(columns)
panel_height = 250
top = 72 + key_height
