# SPDX-License-Identifier: GPL-2.0-or-later
# A page of small figures, two beside each other. The script that loads this has set "panels"; it then calls place(i)
# by "i = ...; load 'place.gp'" before each panel.

panel_height = 250
columns = panels > 1 ? 2 : 1
top = 92
panel_width = (width - 16) / real(columns)
