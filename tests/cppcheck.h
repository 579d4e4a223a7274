/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For cppcheck, which does not read system headers: the two loops of jansson, near enough. */
#define json_array_foreach(a, i, v) \
	for (i = 0; i < json_array_size(a) && (v = json_array_get(a, i)); i++)
#define json_object_foreach(o, k, v) \
	for (k = first_key(o); k && (v = json_object_get(o, k)); k = next_key(o, k))
